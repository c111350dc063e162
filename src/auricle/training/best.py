"""The weights that were best in validation, kept beside the checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from auricle.model.captioner import AudioCaptioner
from auricle.training.files import write_whole
from auricle.training.weights import load_trained, trained_state

HIGHER_IS_BETTER = ("cider_d", "recall")


@dataclass(frozen=True)
class Best:
    """Weights that were best at an epoch: their file's name and the value monitored, best first
    when sorted (a loss as it is, other values negated)."""

    value: float
    epoch: int

    @classmethod
    def of(cls, values: Mapping[str, float], monitor: str, epoch: int) -> Best | None:
        """What ``values`` say of what is monitored, None if nothing."""
        if monitor not in values:
            return None
        return cls(-values[monitor] if monitor in HIGHER_IS_BETTER else values[monitor], epoch)

    @property
    def name(self) -> str:
        return f"best-epoch{self.epoch:04d}.pt"


def keep_best(
    folder: Path, model: AudioCaptioner, found: Best, best: list[Best], keep: int
) -> list[Best]:
    """Write ``model``'s weights if ``found`` is among the ``keep`` best; the best ones, in order.

    The files of others are removed by `remove_others`, once the checkpoint knows of it.
    """
    ranked = sorted([b for b in best if b != found] + [found], key=lambda b: (b.value, b.epoch))
    if found in ranked[:keep]:
        write_whole(folder / found.name, trained_state(model))
    return ranked[:keep]


def remove_others(folder: Path, best: list[Best]) -> None:
    """Delete best weights that are no longer among the best."""
    for path in folder.glob("best-epoch*.pt"):
        if path.name not in {b.name for b in best}:
            path.unlink(missing_ok=True)


def load_best(folder: Path, model: AudioCaptioner, best: Best) -> None:
    path = folder / best.name
    load_trained(model, torch.load(path, map_location="cpu", weights_only=True))
