"""Copies among real sounds: are they found, and nothing else?

    python benchmarks/duplicates.py FOLDER... [--sounds 2000] [--copies 300] [--seed 0] [--list]

Each fourth of the copies is encoded as mp3 at 64 kbit/s, made 6 dB louder (peaks are clipped),
trimmed by 10 % or resampled. If the folders hold fewer sounds, later sections of 10 s of the longer
ones fill up. The sounds, with their copies, are parted in two halves: the threshold is chosen on
one, precision and recall are those on the other. Originals that are found to be copies of each
other count as errors, although some of them may be copies: --list names them.
"""

from __future__ import annotations

import argparse
import io
import random
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile
import soxr

from auricle.audio.find import find_audio_files
from auricle.audio.load import load_audio
from auricle.audio.source import digest_of
from auricle.errors import AudioError
from auricle.search import duplicates
from auricle.search.fingerprint import Fingerprint

RATE = 16_000
SECTION_S = 10.0
LEVELS = {True: 0.8889, False: 0.6316}  # soundfile's for 64 kbit/s, from 32 kHz on, and below
KINDS = ("mp3", "louder", "trimmed", "resampled")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--sounds", type=int, default=2000)
    parser.add_argument("--copies", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true", help="list all errors")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    names, sounds = collected(options.folders, options.sounds, rng)
    print(f"{len(sounds)} sounds, {sum(len(x) / r for x, r in sounds) / 3600:.2f} h")
    began = time.perf_counter()
    prints = [print_of(*one) for one in sounds]
    took_s = time.perf_counter() - began
    seconds = sum(len(x) / r for x, r in sounds)
    size = sum(one.nbytes for one in prints) / seconds
    print(f"fingerprints: {seconds / took_s:.0f} s of sound a second, {size:.0f} bytes per second")
    shipped, threshold = duplicates.DIFFERENT, 0.5
    for half, chosen in enumerate(np.array_split(rng.sample(range(len(sounds)), len(sounds)), 2)):
        some = [int(one) for one in chosen]
        sources = rng.sample(some, options.copies // 2)
        kinds = {source: KINDS[number % len(KINDS)] for number, source in enumerate(sources)}
        copies = [print_of(*copied(kinds[one], *sounds[one], rng)) for one in sources]
        duplicates.DIFFERENT = 0.5
        began = time.perf_counter()
        found = list(duplicates.similar([*(prints[one] for one in some), *copies]))
        print(f"half {half + 1}: compared in {time.perf_counter() - began:.2f} s")
        place = {source: len(some) + number for number, source in enumerate(sources)}
        right = {(some.index(source), at) for source, at in place.items()}
        if half == 0:
            threshold = best_threshold(found, right)
            print(f"threshold by half 1: {threshold:.3f}")
        for name, at in (("this", threshold), ("the shipped", shipped)):
            print(f"  at {name} threshold, {at:.3f}:")
            told = [one for one in found if one[2] < at]
            report(told, right, some, names, kinds, options.list)


def collected(
    folders: list[Path], most: int, rng: random.Random
) -> tuple[list[str], list[tuple[np.ndarray, int]]]:
    """Names and sounds (mono, rate in Hz) of files of different content, at most 60 s of each."""
    files = {}
    for one in find_audio_files(folders):
        if one.path:
            files.setdefault(digest_of(one.path, one.name), one.path)
    paths = rng.sample([*files.values()], len(files))
    names, sounds, more = [], [], []
    for path in paths:
        try:
            x, rate = soundfile.read(path, dtype="float32", always_2d=True, frames=60 * 48_000)
        except (soundfile.LibsndfileError, AudioError):
            continue
        x = x.mean(axis=1)
        if not len(x) or not x.any():
            continue
        section = round(SECTION_S * rate)
        pieces = [x[first : first + section] for first in range(0, len(x), section)]
        for number, piece in enumerate(pieces):
            if not number:
                names.append(str(path))
                sounds.append((piece, rate))
            elif len(piece) == section and piece.any():
                more.append((f"{path}+{number * SECTION_S:.0f} s", (piece, rate)))
    for name, sound in rng.sample(more, min(len(more), max(0, most - len(sounds)))):
        names.append(name)
        sounds.append(sound)
    return names[:most], sounds[:most]


def copied(kind: str, x: np.ndarray, rate: int, rng: random.Random) -> tuple[np.ndarray, int]:
    if kind == "mp3":
        file = io.BytesIO()
        to = rate if rate in (16_000, 22_050, 24_000, 32_000, 44_100, 48_000) else 44_100
        soundfile.write(
            file,
            soxr.resample(x, rate, to),
            to,
            format="MP3",
            bitrate_mode="CONSTANT",
            compression_level=LEVELS[to >= 32_000],
        )
        file.seek(0)
        return soundfile.read(file, dtype="float32")
    if kind == "louder":
        return np.clip(x * 10 ** (6 / 20), -1, 1), rate
    if kind == "trimmed":
        start = rng.random() * 0.1
        return x[round(start * len(x)) : round((start + 0.9) * len(x))], rate
    to = rng.choice([one for one in (16_000, 22_050, 32_000, 48_000) if one != rate])
    return soxr.resample(x, rate, to), to


def print_of(x: np.ndarray, rate: int) -> np.ndarray:
    fingerprint = Fingerprint(RATE)
    fingerprint.add(load_audio((x, rate), RATE).waveform if len(x) >= rate / 10 else np.zeros(0))
    return fingerprint.words()


def best_threshold(found: list[tuple[int, int, float]], right: set[tuple[int, int]]) -> float:
    """In the middle between the two differences around the cut with the best F1."""
    best, cut = -1.0, 0.0
    ordered = sorted(found, key=lambda one: one[2])
    hits = 0
    for number, (one, other, differs) in enumerate(ordered, 1):
        hits += (one, other) in right
        f1 = 2 * hits / (number + len(right))
        if f1 > best:
            after = ordered[number][2] if number < len(ordered) else 0.5
            best, cut = f1, (differs + after) / 2
    return cut


def report(
    found: list[tuple[int, int, float]],
    right: set[tuple[int, int]],
    some: list[int],
    names: list[str],
    kinds: dict[int, str],
    everything: bool,
) -> None:
    pairs = {(one, other): differs for one, other, differs in found}
    number = len(some)
    copies = {pair for pair in pairs if pair[1] >= number}
    originals = set(pairs) - copies
    hits = copies & right
    print(
        f"  recall {len(hits) / len(right):.3f} ({len(hits)}/{len(right)}), precision of copies"
        f" {len(hits) / max(1, len(copies)):.3f}, with pairs of originals"
        f" {len(hits) / max(1, len(pairs)):.3f} ({len(originals)} pairs)"
    )
    by_kind: dict[str, list[bool]] = defaultdict(list)
    for pair in right:
        by_kind[kinds[some[pair[0]]]].append(pair in pairs)
    print("  recall by kind:", {kind: f"{np.mean(by_kind[kind]):.3f}" for kind in KINDS})
    if everything:
        for one, _ in sorted(right - set(pairs)):
            print("  missed:", kinds[some[one]], names[some[one]])
        for one, other in sorted(originals):
            print(f"  pair {pairs[one, other]:.3f}: {names[some[one]]} | {names[some[other]]}")


if __name__ == "__main__":
    main()
