"""Can the small model of the paper's shape learn by heart? Real clips to exact captions, greedily.

    python benchmarks/learning/memorise.py [--clips 16] [--steps 200] [--encoder beats|yamnet]

The recipe is that of the paper at debug size: BEATs has random weights, is frozen, and still tells
the clips apart. Every clip is of another class of ESC-50 and has one caption.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import esc
from trained import changed, listened, said, trained

from auricle.data.clip import Clip
from auricle.data.manifest import write_manifest
from auricle.training.job import Job
from auricle.training.recipe import read_values

ENCODERS = {"beats": {}, "yamnet": {"type": "yamnet", "scale": "log-odds"}}


def one_of_each_class(clips: int) -> list[Clip]:
    """The first clip of as many classes, each with one caption."""
    first: dict[str, Clip] = {}
    for clip in esc.esc_clips():
        first.setdefault(esc.label_of(clip), clip)
    chosen = [first[label] for label in sorted(first)[:: len(first) // clips][:clips]]
    return [replace(clip, captions=(clip.captions[1],), split="train") for clip in chosen]


def learn(clips: list[Clip], steps: int, encoder: str, work: Path) -> Job:
    """The paper's recipe at debug size, trained on ``clips`` in one batch."""
    manifest = work / "clips.jsonl"
    write_manifest(manifest, clips)
    values = read_values("paper/pretrain", ["paper/debug"])
    del values["training"]["epochs"]
    if ENCODERS[encoder]:
        values["model"]["encoder"] = ENCODERS[encoder]
        values["model"]["downsample"] = {"rate": 1, "kernel": 1}
    changes = {
        "data": {
            "train": (str(manifest),),
            "validation": (),
            "cache": str(work / "cache"),
            "features": "cached",
        },
        "augment": {"place": "none"},
        "training": {
            "steps": steps,
            "batch_size": len(clips),
            "accumulate": 1,
            "workers": 0,
            "checkpoint_every": steps,
        },
    }
    return trained(changed(values, changes), work)


def recited(job: Job) -> list[tuple[str, str]]:
    """(caption learned, caption said) of every training clip."""
    return [
        (captions[0], heard)
        for batch, memory in listened(job, job.examples["training"])
        for captions, heard in zip(
            batch.captions, said(job.model, memory, job.tokenizer), strict=True
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--encoder", choices=ENCODERS, default="beats")
    options = parser.parse_args()
    if not esc.DATA.is_dir():
        sys.exit(esc.MISSING)
    with tempfile.TemporaryDirectory() as work:
        clips = one_of_each_class(options.clips)
        pairs = recited(learn(clips, options.steps, options.encoder, Path(work)))
    for caption, heard in pairs:
        print(f"{'=' if caption == heard else '≠'} {caption}  |  {heard}")
    print(f"{sum(a == b for a, b in pairs)} of {len(pairs)} captions are exact")


if __name__ == "__main__":
    main()
