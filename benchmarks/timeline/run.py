"""Timed captions against known events: run.py CLIPS [--seeds 3] [--noise -72 -52] [--model tiny]

CLIPS is a folder of recordings with captions (captions.json: rows of audio, captions) or a CSV with
a column of files, whose sounds have no captions. Each recording that is made of them is also
captioned in fixed windows of 10 s, and every event alone, cut out exactly.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from statistics import mean

import numpy as np

from auricle.pipeline import Captioner
from auricle.records import Caption

from .recordings import RATE_HZ, Scene, captioned_clips, make_scene
from .scores import Found, score

WINDOW_S = 10.0


def clips_of(place: Path) -> list[tuple[Path, tuple[str, ...]]]:
    if place.is_dir():
        return captioned_clips(place)
    with place.open(encoding="utf-8", newline="") as file:
        return [(place.parents[1] / row["file"], ()) for row in csv.DictReader(file)]


def windows(captioner: Captioner, scene: Scene) -> list[Caption]:
    """The captions of consecutive windows."""
    size = round(WINDOW_S * RATE_HZ)
    parts = [scene.waveform[first : first + size] for first in range(0, len(scene.waveform), size)]
    found = captioner.caption([(part, RATE_HZ) for part in parts if len(part) > RATE_HZ])
    return [timed(one, number * WINDOW_S) for number, one in enumerate(found)]


def cut_out(captioner: Captioner, scene: Scene) -> list[Caption]:
    """The caption of every event alone."""
    found = captioner.caption([(scene.cut_out(event), RATE_HZ) for event in scene.events])
    return [timed(one, event.start_s) for one, event in zip(found, scene.events, strict=True)]


def timed(caption: Caption, start_s: float) -> Caption:
    values = {one.name: getattr(caption, one.name) for one in fields(Caption)}
    return Caption(**values | {"start_s": start_s, "end_s": start_s + caption.end_s})


def line(name: str, found: Sequence[Found], seconds: float, scenes: Sequence[Scene]) -> str:
    values = {one.name: mean(getattr(f, one.name) for f in found) for one in fields(Found)}
    speed = sum(len(scene.waveform) for scene in scenes) / RATE_HZ / seconds
    return (
        f"{name:9}"
        + "".join(f"{values[one.name]:11.3f}" for one in fields(Found))
        + (f"{speed:9.0f}")
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--noise", type=float, nargs="+", default=[-72.0, -52.0])
    parser.add_argument("--slope", type=float, default=0.0, help="of the noise: 0 white, 0.5 pink")
    arguments = parser.parse_args()
    captioner = Captioner.from_pretrained(arguments.model)
    captioner.caption((np.zeros(RATE_HZ, np.float32) + 0.01, RATE_HZ))  # loads the rest
    clips = clips_of(arguments.clips)
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    for noise_dbfs in arguments.noise:
        scenes = [make_scene(clips, s, noise_dbfs, slope=arguments.slope) for s in seeds]
        events = sum(len(scene.events) for scene in scenes)
        print(f"{len(scenes)} recordings, {events} events, noise at {noise_dbfs:g} dBFS")
        print(" " * 9 + "".join(f"{one.name:>11}" for one in fields(Found)) + "  x real time")
        for name, way in (
            ("timeline", lambda scene: list(captioner.timeline((scene.waveform, RATE_HZ)))),
            ("windows", lambda scene: windows(captioner, scene)),
            ("cut out", lambda scene: cut_out(captioner, scene)),
        ):
            begun = time.perf_counter()
            captions = [way(scene) for scene in scenes]
            seconds = time.perf_counter() - begun
            found = [
                score(scene.events, said, len(scene.waveform) / RATE_HZ)
                for scene, said in zip(scenes, captions, strict=True)
            ]
            print(line(name, found, seconds, scenes), flush=True)


if __name__ == "__main__":
    main()
