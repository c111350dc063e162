"""A manifest of labelled sounds that tiny was not trained on: calibration_clips.py DATA DEBIAN OUT

DATA is the project's shared data folder. DEBIAN holds three unpacked packages:

    apt-get download tuxpaint-stamps-default sound-theme-freedesktop gcompris-qt-data
    for package in *.deb; do dpkg -x $package DEBIAN; done

OUT/tiny-calibration.jsonl lists every sound of calibration.toml by itself and, with
another, in a mix, for real recordings rarely hold one sound; and noises made here, in which there
is nothing to recognise. Then:

    auricle tune confidence tiny --data OUT/tiny-calibration.jsonl --output src/auricle/models/tiny
"""

from __future__ import annotations

import random
import struct
import sys
import tomllib
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from auricle.data.clip import RELATIONS, TOGETHER, Clip
from auricle.data.manifest import parse_mix, write_manifest

SAMPLE_RATE_HZ = 16_000
NOISE_S = 6.0
NOISES = {"white": 0.0, "pink": -0.5, "brown": -1.0}  # exponent of the amplitude over frequency
LEVELS_DBFS = (-55.0, -35.0)
NOTHING = (
    "nothing but background noise can be heard",
    "faint noise and nothing else",
    "no sound but the hiss of the recording",
)


def sounds(data: Path, debian: Path, out: Path) -> Iterator[Clip]:
    """Every sound of calibration.toml, by itself."""
    labels = tomllib.loads(Path(__file__).with_name("calibration.toml").read_text(encoding="utf-8"))
    share = debian / "usr" / "share"
    places = {
        "stamps": (share / "tuxpaint" / "stamps", "{}.ogg"),
        "minetest": (data / "sounds" / "minetest", "sounds_{}.ogg"),
        "theme": (share / "sounds" / "freedesktop" / "stereo", "{}.oga"),
        "gcompris": (out / "gcompris" / "src" / "activities", "{}"),
    }
    for resources in sorted((share / "gcompris-qt" / "rcc").glob("*.rcc")):
        unpack_audio(resources, out)
    for collection, named in labels.items():
        folder, pattern = places[collection]
        for name, captions in named.items():
            path = folder / pattern.format(name)
            yield Clip(path, tuple(captions), f"{collection}/{name}", "val")


def unpack_audio(resources: Path, out: Path) -> None:
    """Write the audio files in a Qt resource file below ``out``.

    Its tree has a node for each file and folder: name, flags, then of a folder how many nodes are
    in it and the first, of a file its place among the data (doc.qt.io, "The Qt Resource System").
    """
    content = resources.read_bytes()
    version, tree, data, names = struct.unpack_from(">IIII", content, 4)
    size = 14 if version == 1 else 22

    def unpack(node: int, folder: Path) -> None:
        at = tree + node * size
        name_at, flags = struct.unpack_from(">IH", content, at)
        length = struct.unpack_from(">H", content, names + name_at)[0]
        start = names + name_at + 6
        path = folder / content[start : start + 2 * length].decode("utf-16-be") if node else folder
        if flags & 2:
            count, first = struct.unpack_from(">II", content, at + 6)
            for inner in range(first, first + count):
                unpack(inner, path)
        elif path.suffix in {".ogg", ".wav"}:
            place = data + struct.unpack_from(">I", content, at + 10)[0]
            packed = content[place + 4 : place + 4 + struct.unpack_from(">I", content, place)[0]]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(zlib.decompress(packed[4:]) if flags & 1 else packed)

    unpack(0, out)


def with_mixes(clips: list[Clip], seed: int = 0) -> Iterator[Clip]:
    """``clips`` in pairs, and of each pair a mix; the three have one source, so that
    cross-validation keeps them together."""
    rng = random.Random(seed)
    rng.shuffle(clips)
    for number, (one, two) in enumerate(zip(clips[::2], clips[1::2], strict=False)):
        source = f"pair:{number}"
        relation = rng.choice(RELATIONS)
        both = "and" if relation == TOGETHER else "followed by"
        captions = [f"{a} {both} {b}" for a, b in zip(one.captions, two.captions, strict=True)]
        mix = {"audio": str(two.audio), "relation": relation}
        yield replace(one, source=source)
        yield replace(two, source=source)
        yield Clip(
            one.audio,
            tuple(captions),
            f"{one.id}+{two.id}",
            "val",
            source=source,
            mix=parse_mix(mix, Path()),
        )


def noises(folder: Path, seed: int = 0) -> Iterator[Clip]:
    """Steady noise of three colours, from just audible to faint."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    length = round(NOISE_S * SAMPLE_RATE_HZ)
    frequencies = np.fft.rfftfreq(length, 1 / SAMPLE_RATE_HZ)
    for colour, exponent in NOISES.items():
        for level in LEVELS_DBFS:
            spectrum = np.fft.rfft(rng.standard_normal(length))
            spectrum *= np.maximum(frequencies, 20.0) ** exponent
            wave = np.fft.irfft(spectrum, length)
            wave *= 10 ** (level / 20) / wave.std()
            path = folder / f"{colour}{level:.0f}.wav"
            soundfile.write(path, np.clip(wave, -1, 1), SAMPLE_RATE_HZ)
            yield Clip(path, NOTHING, f"noise/{path.stem}", "val", source=f"noise:{colour}")


def main(data: Path, debian: Path, out: Path) -> None:
    clips = [*with_mixes(list(sounds(data, debian, out))), *noises(out / "noise")]
    print(write_manifest(out / "tiny-calibration.jsonl", clips), "clips")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
