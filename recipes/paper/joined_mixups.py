"""Mix-ups of a manifest's training clips for rehearsals: joined_mixups.py MANIFEST OUT [--rows 12]

Captions are two captions joined by a conjunction, which stands in for the large language model that
writes them for the paper's recipe.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from auricle.data.manifest import Clip, read_manifest, write_manifest
from auricle.data.mixing import mix_of

CONJUNCTIONS = ("and", "while", "as")


def joined(clips: Sequence[Clip], rows: int) -> Iterator[Clip]:
    """``rows`` mix-ups of two different clips each, with one caption."""
    rng = random.Random(0)
    for number in range(rows):
        first, second = rng.sample(clips, 2)
        captions = [rng.choice(clip.captions).strip(" .") for clip in (first, second)]
        text = f" {rng.choice(CONJUNCTIONS)} ".join(captions)
        section = {"start_s": second.start_s, "end_s": second.end_s}
        mix = {"audio": str(second.audio)} | {k: v for k, v in section.items() if v is not None}
        yield replace(
            first, captions=(text,), id=f"mixup-{number}", extra={**first.extra, "mix": mix}
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=12)
    options = parser.parse_args()
    clips = [clip for clip in read_manifest(options.manifest, "train") if mix_of(clip) is None]
    write_manifest(options.out, joined(clips, options.rows))


if __name__ == "__main__":
    main()
