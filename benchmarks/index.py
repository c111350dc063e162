"""An index at its size: its queries, its files, its memory; and kills while it is made.

    python benchmarks/index.py [--sounds 200000]            synthetic sounds
    python benchmarks/index.py --kill FOLDER [--kills 3]    real recordings, ended by SIGKILL
    python benchmarks/index.py --change FOLDER              copies of them, of which a fifth changes

A query is an exact search: the dot products of a vector with all others and the 100 best, and full
text for two words. Both in turn, warm, in one process.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from auricle.audio.find import find_audio_files
from auricle.search.place import MATRIX, NAME
from auricle.search.rows import Described, Indexed, Maker
from auricle.search.store import Index

DIM, BATCH = 384, 1000
WORDS = (
    "dog bark rain fall wind blow man speak woman laugh car pass engine idle bell ring door close"
    " bird sing water run crowd cheer child play music saw cut glass break thunder roll train horn"
    " clock tick keyboard type frying pan sizzle baby cry cat purr helicopter fly siren wail"
).split()
# As in a language, few words are common.
WORDS += [f"word{number}" for number in range(2000)]
SHARES = [1 / (number + 10) for number in range(len(WORDS))]
TAGS = [f"class{number}" for number in range(500)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sounds", type=int, default=200_000)
    parser.add_argument("--kill", type=Path, metavar="FOLDER")
    parser.add_argument("--change", type=Path, metavar="FOLDER")
    parser.add_argument("--kills", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if options.kill:
            killed(Path(name), options.kill, options.kills)
        elif options.change:
            changed(Path(name), options.change)
        else:
            filled(Path(name), options.sounds)


def filled(folder: Path, number: int) -> None:
    began = time.perf_counter()
    with Index(folder, Maker("synthetic", "00")) as index:
        for batch in batches(number):
            index.add(batch)
        wrote_s = time.perf_counter() - began
        index.save_vectors()
    print(f"{number:,} sounds written in {wrote_s:.0f} s, {number / wrote_s:,.0f} a second")
    for one in (NAME, MATRIX):
        print(f"{one}: {(folder / one).stat().st_size / 1e6:.0f} MB")
    before_mb = peak_mb()
    began = time.perf_counter()
    with Index(folder) as index:
        ids, rows = index.vectors()
        print(f"opened and checked in {time.perf_counter() - began:.2f} s")
        dots, texts, chosen = [], [], []
        rng = random.Random(0)
        vectors = np.random.default_rng(1).standard_normal((100, DIM)).astype(np.float32)
        for vector in vectors:
            dots.append(seconds(lambda v=vector: best(ids, rows, v, 100)))
            match = " OR ".join(rng.choices(WORDS, SHARES, k=2))
            texts.append(seconds(lambda m=match: index.text_ranks(m, 100)))
            chosen.append(seconds(lambda: index.ids_in("/sounds/7", 5.0)))
        for name, found in (("dot products", dots), ("full text", texts), ("folder", chosen)):
            p50, p95 = np.percentile(found[5:], [50, 95]) * 1000
            print(f"{name}: p50 {p50:.1f} ms, p95 {p95:.1f} ms")
    print(f"memory: {peak_mb() - before_mb:.0f} MB more than without an index, at most")


def batches(number: int) -> Iterator[list[tuple[Indexed, list[Described]]]]:
    rng, words = np.random.default_rng(0), random.Random(0)
    for first in range(0, number, BATCH):
        vectors = rng.standard_normal((min(BATCH, number - first), DIM))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        yield [
            (
                Indexed(f"/sounds/{n % 50}/{n}.wav", n, n, f"{n:032x}", 5.0, "wav"),
                [
                    Described(
                        *(0.0, n % 10 + 1.0, " ".join(words.choices(WORDS, SHARES, k=8)), 0.5, 0.1),
                        tuple(words.sample(TAGS, 3)),
                        vector=vector,
                    )
                ],
            )
            for n, vector in enumerate(vectors, first)
        ]


def best(ids: np.ndarray, rows: np.ndarray, vector: np.ndarray, most: int) -> np.ndarray:
    import torch

    warnings.simplefilter("ignore")  # rows cannot be written, and are not
    found = torch.from_numpy(rows) @ torch.from_numpy(vector).to(torch.float16)
    return ids[found.topk(most).indices.numpy()]


def seconds(call) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def killed(folder: Path, sounds: Path, kills: int) -> None:
    """Index ``sounds``, ended ``kills`` times, and once to the end; then once more."""
    paths = [one.path for one in find_audio_files([sounds]) if one.path]
    command = [sys.executable, "-m", "auricle", "index", str(sounds), "--index", str(folder)]
    rng = random.Random(0)
    for number in range(kills):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wanted = len(paths) * (number + rng.random()) / (kills + 1)
        while process.poll() is None and count(folder) < wanted:
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
        print(f"ended with {count(folder):,} of {len(paths):,} files in the index")
    for _ in range(2):
        began = time.perf_counter()
        subprocess.run(command, check=False)
        print(f"  {time.perf_counter() - began:.0f} s")
    with Index(folder) as index:
        files = Counter(one.audio for one in index.files())
        wholes = Counter(one.audio for one in index.sounds() if not one.segment)
        failed = sum(bool(one.reason) for one in index.files())
        complete = set(files) == {str(path.absolute()) for path in paths}
        print(
            json.dumps(
                {
                    "files": len(files),
                    "failed": failed,
                    "sounds": sum(wholes.values()),
                    "segments": sum(one.segment for one in index.sounds()),
                    "complete": complete and len(wholes) + failed == len(files),
                    "twice": sum(n > 1 for n in wholes.values()),
                    "vectors": len(index.vectors()[0]),
                }
            )
        )


def changed(folder: Path, sounds: Path) -> None:
    """Index copies of ``sounds``, let some of them change, and see which files are opened."""
    copies, opened = folder / "copies", set[str]()
    shutil.copytree(sounds, copies)
    paths = sorted(one.path for one in find_audio_files([copies]) if one.path)
    sys.addaudithook(lambda event, args: opened.add(str(args[0])) if event == "open" else None)
    wanted: set[Path] = set()
    for when in ("first", "again", "a fifth changed"):
        if when == "a fifth changed":
            wanted = set(random.Random(0).sample(paths, len(paths) // 5))
            for path in wanted:
                path.write_bytes(path.read_bytes() + b"!")
        opened.clear()
        began = time.perf_counter()
        cli(["index", str(copies), "--index", str(folder / "index")])
        read = {path for path in paths if str(path) in opened}
        told = f"{when}: {len(read):,} of {len(paths):,} files read"
        told += f", {len(read & wanted):,} of the {len(wanted):,} changed ones" if wanted else ""
        print(f"{told}; {time.perf_counter() - began:.0f} s")


def cli(arguments: list[str]) -> None:
    from auricle.cli import main

    try:
        sys.argv[1:] = arguments
        main()
    except SystemExit:
        pass


def count(folder: Path) -> int:
    from auricle.errors import AuricleError

    try:
        with Index(folder) as index:
            return sum(1 for _ in index.files())
    except AuricleError:
        return 0


if __name__ == "__main__":
    main()
