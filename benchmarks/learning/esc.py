"""Real sounds for the experiments: ESC-50 clips with captions of our own, as a manifest.

    python benchmarks/learning/esc.py MANIFEST

The clips lie in the project's shared data folder beside the repository. Every Freesound recording
is on one side of the split alone.
"""

from __future__ import annotations

import csv
import random
import re
import sys
import tomllib
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from auricle.data.clip import Clip
from auricle.data.manifest import write_manifest

DATA = Path(__file__).parents[3] / "shared" / "data" / "sounds"
CAPTIONS = Path(__file__).with_name("class_captions.toml")
MISSING = f"{DATA / 'esc.csv'} is missing: this needs the project's shared data folder"
VALIDATION = 1 / 3  # of a class's clips, at most


def class_captions() -> dict[str, list[str]]:
    """Class -> four captions: a short clause first."""
    return tomllib.loads(CAPTIONS.read_text(encoding="utf-8"))


def label_of(clip: Clip) -> str:
    return str(clip.extra["label"])


def esc_clips() -> list[Clip]:
    """All clips, with all captions of their class; splits "train" and "val", the same every time.

    A class whose recordings cannot be parted so is in "train" alone.
    """
    captions = class_captions()
    clips = []
    for row in csv.DictReader((DATA / "esc.csv").open(encoding="utf-8")):
        number = re.search(r"Freesound clip (\d+)", row["source"])
        assert number is not None, row["source"]
        clips.append(
            Clip(
                audio=DATA.parent / row["file"],
                captions=tuple(captions[row["label"]]),
                id=Path(row["file"]).stem,
                split="train",
                licence=row["licence"],
                source=f"freesound:{number[1]}",
                extra={"label": row["label"]},
            )
        )
    held = _held_out(clips)
    return [replace(clip, split="val") if clip.source in held else clip for clip in clips]


def _held_out(clips: list[Clip]) -> set[str | None]:
    """Recordings for validation: of each class up to `VALIDATION` of its clips."""
    held: set[str | None] = set()
    by_class: dict[str, dict[str | None, int]] = defaultdict(lambda: defaultdict(int))
    for clip in clips:
        by_class[label_of(clip)][clip.source] += 1
    rng = random.Random(0)
    for sources in by_class.values():
        room = int(sum(sources.values()) * VALIDATION)
        for source in rng.sample(sorted(sources, key=str), len(sources)):
            if sources[source] <= room and len(sources) > 1:
                held.add(source)
                room -= sources[source]
    return held


def main() -> None:
    if not (DATA / "esc.csv").is_file():
        sys.exit(MISSING)
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} MANIFEST")
    write_manifest(sys.argv[1], esc_clips())


if __name__ == "__main__":
    main()
