"""A fluency detector on broken captions, on captions by people, and against the official FENSE one.

    python benchmarks/fluency.py [DETECTOR]     # auricle, fense-base, fense-tiny, a folder

It needs the project's shared data folder beside the repository: AudioCaps captions, and captions of
CoNeTTE with the official error probabilities. The detector was trained on training captions only.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from auricle.text.fluency import DESCRIPTIONS, FluencyDetector, load_detector
from auricle.text.normalise import as_judged
from auricle.tiny.corruptions import Corruptor
from auricle.tiny.fluency import agreement, broken_captions, detection, false_alarms

SHARED = Path(__file__).parents[2] / "shared"
OFFICIAL_THRESHOLD = 0.9  # Zhou et al., ICASSP 2022, section 3.2
FLAGGED_SHOWN = 12


def captions(name: str) -> list[str]:
    with (SHARED / "data/captions" / name).open(encoding="utf-8", newline="") as file:
        return [row["caption"] for row in csv.DictReader(file)]


def rows(name: str) -> list[dict]:
    path = SHARED / "golden/metrics" / name
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def speed(detector: FluencyDetector, texts: list[str]) -> tuple[float, float]:
    """(captions per second, milliseconds for 30 captions): CPU time on one thread."""
    torch.set_num_threads(1)
    detector.error(texts[:500])
    start = time.process_time()
    detector.error(texts)
    every = len(texts) / (time.process_time() - start)
    start = time.process_time()
    for i in range(20):
        detector.error(texts[30 * i : 30 * i + 30])
    return every, (time.process_time() - start) / 20 * 1000


def show_people(detector: FluencyDetector, name: str, texts: Iterable[str]) -> None:
    texts = list(texts)
    share = false_alarms(detector, texts)
    print(f"{name:<46} {len(texts):6d}  flagged {100 * share:5.2f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("detector", nargs="?", default="auricle")
    detector = load_detector(parser.parse_args().detector)
    if not SHARED.is_dir():
        parser.error(f"{SHARED} is not there")
    print(f"{detector.name}, threshold {detector.threshold:.3f}\n")

    training, validation = captions("train.csv"), captions("val.csv")
    learned = {as_judged(caption) for caption in training}
    new = [text for text in map(as_judged, validation) if text not in learned]
    corruptor = Corruptor([*training, *validation])
    print(f"broken copies of {len(new)} AudioCaps validation captions not in training")
    for kind, found in detection(detector, new, broken_captions(new, corruptor)).items():
        name = DESCRIPTIONS[kind]
        print(f"  {name:<44} {found.count:6d}  AUC {found.auc:.4f}  recall {found.recall:.3f}")

    print("\npeople's captions, as they are")
    show_people(detector, "AudioCaps validation", validation)
    official = {name: rows(f"conette_{name}.jsonl") for name in ("audiocaps_test", "clotho_eval")}
    for name, items in official.items():
        show_people(detector, name, (text for item in items for text in item["references"]))

    print("\nbeside the official FENSE detector, on captions of CoNeTTE")
    for name, items in official.items():
        texts = [item["candidate"] for item in items]
        theirs = np.array([item["scores"]["fer.error_prob"] for item in items])
        found = agreement(detector, texts, theirs, OFFICIAL_THRESHOLD)
        print(
            f"  {name:<16} {found.count} captions, official flags {found.flagged}:"
            f"  AUC {found.auc:.3f}  precision {found.precision:.2f}  recall {found.recall:.2f}"
            f"  rank correlation {found.rank_correlation:.2f}"
        )

    every, thirty = speed(detector, validation)
    print(f"\n{every:.0f} captions a second, {thirty:.1f} ms for 30, CPU time on one thread")
    print("\nmost suspicious of AudioCaps validation:")
    errors = detector.error(validation)
    for i in np.argsort(-errors)[:FLAGGED_SHOWN]:
        print(f"  {errors[i]:.3f}  {validation[i]}")


if __name__ == "__main__":
    main()
