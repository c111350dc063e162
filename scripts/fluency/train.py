"""The fluency detector in the package, trained: train.py [CAPTIONS.csv] [--output runs/fluency]

CAPTIONS.csv is AudioCaps 1.0's train.csv (MIT), or any table with a column "caption". About six
minutes on one core. To ship the result, copy its files to src/auricle/text/fluency/model.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import torch

from auricle.tiny.fluency import FluencyTraining, train_detector

ROOT = Path(__file__).parents[2]
CAPTIONS = ROOT.parent / "shared/data/captions/train.csv"


def read_captions(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row["caption"] for row in csv.DictReader(file)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captions", type=Path, nargs="?", default=CAPTIONS)
    parser.add_argument("--output", type=Path, default=ROOT / "runs/fluency")
    parser.add_argument("--steps", type=int, default=FluencyTraining.steps)
    options = parser.parse_args()
    if not options.captions.is_file():
        parser.error(f"{options.captions} is not there: fetch AudioCaps 1.0's train.csv")

    torch.set_num_threads(1)
    training = FluencyTraining(steps=options.steps)
    detector = train_detector(
        read_captions(options.captions),
        training,
        report=lambda step, loss: print(f"{step}/{options.steps}  loss {loss:.4f}", flush=True),
    )
    detector.save(options.output)
    (options.output / "README.md").write_text(card(training), encoding="utf-8")
    print(f"threshold {detector.threshold:.3f}; written to {options.output}")


def card(training: FluencyTraining) -> str:
    text = (Path(__file__).parent / "card.md").read_text(encoding="utf-8")
    return text.replace("STEPS", str(training.steps)).replace("BATCH", str(training.batch_size))


if __name__ == "__main__":
    main()
