"""Loading the captioner of a command: which, where and how."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auricle.cli.console import say, uncollected
from auricle.cli.options import (
    DeviceName,
    ModelName,
    Offline,
    Precision,
    PrecisionName,
    Seed,
    Threads,
)

if TYPE_CHECKING:
    from auricle.pipeline import Captioner


@dataclass(frozen=True)
class ModelChoices:
    """The model of a command, the seed of its samples, and how it computes.

    ``offline`` and ``threads`` take effect when they are read.
    """

    model: ModelName = "tiny"
    seed: Seed = 0
    device: DeviceName = "auto"
    offline: Offline = False
    threads: Threads = None
    precision: PrecisionName = Precision.float32

    def load(self) -> Captioner:
        """Raises ModelError: there is no such model, device or precision."""
        with uncollected(), contextlib.redirect_stdout(sys.stderr):  # in case a library prints
            from huggingface_hub.utils import disable_progress_bars

            from auricle.pipeline import Captioner

            captioner = Captioner.from_pretrained(
                self.model, device=self.device, precision=self.precision.value
            )
        disable_progress_bars()  # after the downloads, only our bar is shown
        if self.precision is Precision.auto:
            say("note", f"precision {captioner.precision}: {captioner.precision_reason}")
        return captioner
