"""Labelled sounds whose licences allow the weights learned from them to be given away.

Each collection has a reader that yields `Sound`s; ``labels`` (recipes/tiny/sounds.toml) says which
AudioSet classes a collection's own labels mean. A sound whose licence is not in `LICENCES` is left
out.
"""

from __future__ import annotations

import csv
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auricle.audio.load import load_audio

LICENCES = ("CC0", "CC BY", "Public Domain", "MIT")  # "CC BY" covers CC BY-SA, but not CC BY-NC
ASTERISK_MIN_BYTES = 24_000  # 1.5 s at 8 kHz and 16 bit
ASTERISK_PER_LANGUAGE = 60

Labels = Mapping[str, Mapping[str, Sequence[str]]]  # collection -> label -> AudioSet class names


@dataclass(frozen=True)
class Sound:
    """One recording: its classes of sound, its author and licence.

    ``source`` is a path or the bytes of an audio file; ``classes`` AudioSet class names.
    """

    name: str
    collection: str
    classes: tuple[str, ...]
    source: Path | bytes
    author: str
    licence: str
    origin: str

    def waveform(self, sample_rate_hz: int, max_duration_s: float) -> np.ndarray:
        """[L] float32 mono."""
        return load_audio(self.source, sample_rate_hz, end_s=max_duration_s).waveform

    @property
    def credit(self) -> str:
        return f"{self.collection}: {self.name}, by {self.author}, {self.licence}, {self.origin}"


def read_sounds(data: Path, fetched: Path, labels: Labels) -> list[Sound]:
    """All sounds of the shared data folder ``data``, and of ``fetched`` (by fetch_sounds.sh).

    Raises:
        FileNotFoundError: a collection is missing; the message names the file.
    """
    debian = fetched / "debian" / "usr" / "share"
    found = [
        *_esc(data, labels["esc"]),
        *_minetest(data / "sounds" / "minetest", labels["minetest"]),
        *_blanket(data / "sounds" / "blanket", labels["blanket"]),
        *_clock(data / "sounds" / "clock_cc0", labels["clock_cc0"]),
        *_opensfx(debian / "games/openttd/baseset/opensfx/opensfx.cat", labels["opensfx"]),
        *_asterisk(debian / "asterisk"),
        *_made(fetched / "made", labels["made"]),
    ]
    return [sound for sound in found if may_ship(sound.licence)]


def may_ship(licence: str) -> bool:
    bare = licence.replace("-", " ")
    return bare.startswith(LICENCES) and "NC" not in bare


def _esc(data: Path, labels: Mapping[str, Sequence[str]]) -> Iterator[Sound]:
    with (data / "sounds" / "esc.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            clip = re.search(r"Freesound clip (\d+)", row["source"])
            origin = f"https://freesound.org/s/{clip[1]}/" if clip else row["source"]
            yield Sound(
                name=row["title"],
                collection="ESC-50",
                classes=tuple(labels[row["label"]]),
                source=data / row["file"],
                author="its Freesound author",
                licence=row["licence"],
                origin=origin,
            )


def _minetest(folder: Path, labels: Mapping[str, Sequence[str]]) -> Iterator[Sound]:
    """Labels and credits go by the start of the file name, the longest that fits."""
    credits = _minetest_credits((folder / "sources.md").read_text(encoding="utf-8"))
    for path in sorted(folder.glob("*.ogg")):
        name = path.stem.removeprefix("sounds_")
        label, credit = _longest(name, labels), _longest(name, credits)
        if label is not None and credit is not None:
            author, licence = credits[credit]
            classes = tuple(labels[label])
            origin = "sounds mod for Minetest, sources.md"
            yield Sound(name, "Minetest sounds", classes, path, author, licence, origin)


def _minetest_credits(table: str) -> dict[str, tuple[str, str]]:
    """File name or its start -> (author, licence), from the package's Markdown tables."""
    found: dict[str, tuple[str, str]] = {}
    prefix = ""
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if line.startswith("| Filename"):
            prefix = "node_" if "node_" in cells[0] else ""
        elif line.startswith("| ") and len(cells) >= 3 and not cells[0].startswith("-"):
            # "[bear*][fws]", "[loon_[02-03]][loon_02]", "[bee][]" -> "bear", "loon_", "bee"
            pattern = cells[0].removeprefix("[").split("][")[0]
            found[prefix + re.split(r"[*\[\]]", pattern)[0]] = (cells[1], cells[2])
    return found


def _blanket(folder: Path, labels: Mapping[str, Sequence[str]]) -> Iterator[Sound]:
    text = (folder / "SOUNDS_LICENSING.md").read_text(encoding="utf-8")
    for title, origin, author, licence in re.findall(
        r"^\| \[(.+?)\]\((.+?)\) \| (.+?) \| .+? \| (.+?)\s*(?:\||$)", text, re.MULTILINE
    ):
        name = title.lower().replace(" ", "-")
        path = folder / f"{name}.ogg"
        if name in labels and path.is_file():
            yield Sound(title, "Blanket", tuple(labels[name]), path, author, licence, origin)


def _clock(folder: Path, labels: Mapping[str, Sequence[str]]) -> Iterator[Sound]:
    text = (folder / "soundscape-assets.md").read_text(encoding="utf-8")
    for name, licence, origin, author in re.findall(
        r"^\| \w+ \| `public/sfx/(\w+)\.mp3` \| (.+?) \| (.+?) \| (.+?) \|", text, re.MULTILINE
    ):
        path = folder / f"{name}.mp3"
        if path.is_file():
            yield Sound(
                name, "Soundscapes", tuple(labels[name]), path, author.strip(), licence, origin
            )


def _opensfx(path: Path, labels: Mapping[str, Sequence[str]]) -> Iterator[Sound]:
    """OpenTTD's archive: a table of (offset, size), then each sound's credit line and WAV file."""
    archive = path.read_bytes()
    count = (struct.unpack_from("<I", archive)[0] & 0x7FFFFFFF) // 8
    for index in range(count):
        offset, size = struct.unpack_from("<II", archive, 8 * index)
        offset &= 0x7FFFFFFF
        start = offset + 1 + archive[offset]
        text = archive[offset + 1 : start].decode("utf-8", "replace").rstrip("\0")
        credit = re.match(r'"(.+?)"\.? (.+) License: Creative Commons (.+?)\.(?: |$)', text)
        label = _longest(credit[1], labels) if credit else None
        if credit and label is not None:
            licence = _SPELT_OUT.sub(lambda m: _SHORT[m[0]], credit[3]).replace(" Unported", "")
            yield Sound(
                name=credit[1],
                collection="OpenSFX",
                classes=tuple(labels[label]),
                source=archive[start : start + size],
                author=credit[2].rstrip("."),
                licence=licence,
                origin="https://github.com/OpenTTD/OpenSFX",
            )


_SHORT = {"Attribution-ShareAlike": "CC BY-SA", "Attribution": "CC BY", "Zero": "CC0"}
_SPELT_OUT = re.compile("|".join(_SHORT))

# The speakers of Asterisk's prompts and their licences, by language.
_SPEAKERS = {
    "en": ("Allison Smith", "CC BY-SA 3.0"),
    "es": ("Allison Smith", "CC BY-SA 3.0"),
    "fr": ("June Wallack", "CC BY-SA 3.0"),
    "it": ("Carlo Flora", "CC BY 3.0"),
    "ru": ("Maxim Topal", "CC BY 3.0"),
}
_MUSIC_ON_HOLD = {
    "macroform": "Paul Shuler (Macroform)",
    "manolo_camp": "Manolo Camp",
    "reno_project": "Reno Project",
}


def _asterisk(folder: Path) -> Iterator[Sound]:
    """Prompts read aloud, evenly spread over a language's files, and music on hold."""
    origin = "https://downloads.asterisk.org/pub/telephony/sounds/"
    for language, (speaker, licence) in _SPEAKERS.items():
        files = sorted(folder.glob(f"sounds/{language}_*/**/*.wav"))
        files = [file for file in files if file.stat().st_size > ASTERISK_MIN_BYTES]
        for file in files[:: max(1, len(files) // ASTERISK_PER_LANGUAGE)]:
            name = f"{language}/{file.stem}"
            yield Sound(name, "Asterisk prompts", ("Speech",), file, speaker, licence, origin)
    for file in sorted(folder.glob("moh/**/*.wav")):
        author = next((a for start, a in _MUSIC_ON_HOLD.items() if file.stem.startswith(start)), "")
        if author:
            yield Sound(
                file.stem, "Asterisk music", ("Music",), file, author, "CC BY-SA 3.0", origin
            )


def _made(folder: Path, labels: Mapping[str, Sequence[str]]) -> Iterator[Sound]:
    for path in sorted(folder.glob("*.wav")):
        label = _longest(path.stem, labels)
        if label is None:
            continue
        speech = "Speech" in labels[label]
        yield Sound(
            name=path.stem,
            collection="Made by us",
            classes=tuple(labels[label]),
            source=path,
            author="espeak-ng" if speech else "FluidR3 GM by Frank Wen, played by fluidsynth",
            licence="CC0" if speech else "MIT",
            origin="scripts/tiny/make_sounds.py",
        )


def _longest(name: str, keys: Mapping[str, object]) -> str | None:
    """The longest key that ``name`` starts with."""
    return max((key for key in keys if name.startswith(key)), key=len, default=None)
