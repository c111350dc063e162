"""Levels of rendered mixes of real sounds: are they uniform within ±5 dB, whichever is longer?

    python benchmarks/mix_levels.py FOLDER [--mixes 200] [--seed 0]

FOLDER holds recordings, for example data/sounds/esc of the project's shared data folder.
`auricle.mixup.render` mixes two random ones, each cut to 1 to 5 s, and the files are read back. The
level of each recording in a file does not come from the renderer: least squares over the two
recordings find it.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy import stats

from auricle.audio.find import audio_files
from auricle.audio.level import level_dbfs
from auricle.audio.load import load_audio
from auricle.audio.mixing import FADE_S, LEVEL_RANGE_DB, SILENCE_DBFS
from auricle.data.clip import Clip, load_clip
from auricle.data.manifest import parse_mix, read_manifest, write_manifest
from auricle.mixup.render import Rendering, mixups, render

RATE_HZ = 16_000
FADE = round(FADE_S * RATE_HZ)


def manifest_of(sounds: list[Path], mixes: int, seed: int, folder: Path) -> Path:
    """Mix-ups of two random recordings each, of random lengths."""
    rng = random.Random(seed)
    rows = []
    for number in range(mixes):
        (first, first_s), (second, second_s) = (
            (path, rng.choice((1.0, 2.0, 3.5, 5.0))) for path in rng.sample(sounds, 2)
        )
        mix = {"audio": str(second), "end_s": second_s}
        if number % 4 == 3:
            mix["relation"] = "followed by"
        rows.append(
            Clip(first, ("",), f"{number}", "train", end_s=first_s, mix=parse_mix(mix, Path()))
        )
    write_manifest(folder / "mixups.jsonl", rows)
    return folder / "mixups.jsonl"


def measured(file: Path, first: np.ndarray, second: np.ndarray, starts: tuple[int, int]) -> float:
    """The level of ``first`` above ``second`` in ``file``, in dB; they start at ``starts``."""
    mixed = load_audio(file, RATE_HZ).waveform
    columns = np.zeros((len(mixed), 2))
    for column, (part, start) in enumerate(zip((first, second), starts, strict=True)):
        columns[start : start + len(part), column] = part
    if starts[1] == len(first):  # in sequence, both fade where they meet: left out
        columns, mixed = (
            np.delete(array, np.s_[starts[1] - FADE : starts[1] + FADE], 0)
            for array in (columns, mixed)
        )
    factors, *_ = np.linalg.lstsq(columns, mixed.astype(np.float64), rcond=None)
    residual = mixed - columns @ factors
    assert level_dbfs(residual) < level_dbfs(mixed) - 20, f"{file}: something else is in it"
    return level_dbfs(first * factors[0]) - level_dbfs(second * factors[1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--mixes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sounds = audio_files(options.folder)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = manifest_of(sounds, options.mixes, options.seed, folder)
        done = render(manifest, folder / "out", Rendering(RATE_HZ, seed=options.seed))
        assert not done.failed, done
        levels, stated, longer, in_turn, silent = [], [], [], [], 0
        for (clip, other), made in zip(mixups(manifest), read_manifest(done.manifest), strict=True):
            alone = Clip(other.audio, ("",), "", "", other.start_s, other.end_s)
            clip = Clip(clip.audio, ("",), "", "", clip.start_s, clip.end_s)
            first, second = (load_clip(one, RATE_HZ) for one in (clip, alone))
            if min(level_dbfs(first), level_dbfs(second)) <= SILENCE_DBFS:
                silent += 1
                continue
            found = made.extra["mixed"]
            after = found["relation"] == "followed by"
            start = round(found["offset_s"] * RATE_HZ)
            starts = (0, start) if after or len(first) >= len(second) else (start, 0)
            levels.append(measured(made.audio, first, second, starts))
            stated.append(found["level_db"])
            longer.append(np.sign(len(first) - len(second)))
            in_turn.append(after)
    report(np.array(levels), np.array(stated), np.array(longer), np.array(in_turn))
    print(f"left out because one of the two is silent: {silent}")


def report(levels: np.ndarray, stated: np.ndarray, longer: np.ndarray, in_turn: np.ndarray) -> None:
    uniform = stats.uniform(-LEVEL_RANGE_DB, 2 * LEVEL_RANGE_DB).cdf
    print(f"{len(levels)} mixes: level of the first above the second, measured in the files, in dB")
    groups = {
        "all": np.full(len(levels), True),
        "first longer": (longer > 0) & ~in_turn,
        "first shorter": (longer < 0) & ~in_turn,
        "equally long": (longer == 0) & ~in_turn,
        "followed by": in_turn,
    }
    for name, chosen in groups.items():
        part = levels[chosen]
        test = stats.kstest(part, uniform)
        print(
            f"  {name:<14} {len(part):4}  mean {part.mean():5.2f}  from {part.min():5.2f} to"
            f" {part.max():5.2f}  uniform: KS {test.statistic:.3f}, p {test.pvalue:.2f}"
        )
    order = stats.ks_2samp(levels, -levels)
    length = stats.ks_2samp(levels[groups["first longer"]], levels[groups["first shorter"]])
    print(f"  the same with first and second exchanged: p {order.pvalue:.2f}")
    print(f"  the same whether the first is longer or shorter: p {length.pvalue:.2f}")
    print(f"  furthest from what the manifest says: {np.abs(levels - stated).max():.3f} dB")


if __name__ == "__main__":
    main()
