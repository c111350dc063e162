"""Speed of a search: speed.py [--sounds 200000] [--queries 200] [--index DIR] [--threads 2]

An index of synthetic sounds: sentences of real captions' words, classes, and vectors around the
sentences' own, so that neighbours are near. Each query is one that was not asked before. Prints the
size of the index, the memory, and the times of queries, as they pass and on the processor.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

import auricle
from auricle.fetch.identity import model_digest
from auricle.search.rows import Described, Indexed, Maker
from auricle.search.store import Index

WHO = (
    "a man,a woman,a dog,birds,a car,an engine,rain,wind,a crowd,a baby,water,a train,music,"
    "a helicopter,insects,a cat,thunder,a door,footsteps,a bell,a siren,waves,a saw,a clock,a horse"
).split(",")
DOES = (
    "speaks,barks,chirp,passes by,idles,falls,blows,cheers,cries,splashes,rumbles,plays,hovers,"
    "buzz,meows,roars,opens,echo,rings,wails,crash,cuts wood,ticks,gallops,hums,hisses,clatters"
).split(",")
WHERE = (
    "in the distance,nearby,in a room,on a street,at night,on a roof,in the forest,under water,"
    "on gravel,in a hall,behind a wall,by the sea,over a bridge,in a kitchen,through leaves"
).split(",")


def sentence(rng: random.Random) -> str:
    return f"{rng.choice(WHO)} {rng.choice(DOES)} {rng.choice(WHERE)}"


def made(count: int) -> Iterator[tuple[Indexed, list[Described]]]:
    rng, noise = random.Random(0), np.random.default_rng(0)
    embed = auricle.load("tiny", "cpu").embed_text
    kinds = sorted({sentence(rng) for _ in range(4000)})
    vectors = embed(kinds).numpy()
    for number in range(count):
        first, second = rng.randrange(len(kinds)), rng.randrange(len(kinds))
        vector = vectors[first] + 0.5 * vectors[second] + noise.standard_normal(384) / 25
        caption = f"{kinds[first]} and {kinds[second]}"
        tags = tuple(rng.sample([who.split()[-1].title() for who in WHO], 4))
        file = Indexed(f"/library/{number // 1000}/take {number}.wav", 1, 1, f"{number}", 10.0)
        vector = (vector / np.linalg.norm(vector)).astype(np.float32)
        yield file, [Described(0.0, 10.0, caption, 0.5, 0.0, tags, False, vector)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sounds", type=int, default=200_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--index", type=Path, help="kept there; made if it is not there")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    place = arguments.index or Path(tempfile.mkdtemp())
    if not (place / "index.sqlite").exists():
        with Index(place, Maker("tiny", model_digest("tiny"))) as index:
            index.add(made(arguments.sounds))
            index.save_vectors()
    size = sum(file.stat().st_size for file in place.iterdir())
    print(f"{arguments.sounds:,} sounds, {size / 1e6:.0f} MB on the disk")
    rng = random.Random(1)
    asked = [f"{sentence(rng)} while {sentence(rng)}" for _ in range(arguments.queries)]
    with auricle.Library(place) as library:
        start = time.perf_counter()
        library.search("a dog barks at night")
        print(f"first query {time.perf_counter() - start:.2f} s, with its model")
        for kind, queries in (("sentences", asked), ("words", WHO)):
            passed, busy = [], []
            for query in queries:
                start, processor = time.perf_counter(), time.process_time()
                library.search(query)
                passed.append(1000 * (time.perf_counter() - start))
                busy.append(1000 * (time.process_time() - processor))
            told = ", ".join(
                f"{name} median {np.median(times):.1f}, p95 {np.percentile(times, 95):.1f} ms"
                for name, times in (("passed", passed), ("processor", busy))
            )
            print(f"{len(queries)} {kind}: {told}")
    print(f"memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
