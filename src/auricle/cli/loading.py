"""Loading the captioner of a command."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from auricle.cli.console import say, uncollected
from auricle.cli.options import Precision

if TYPE_CHECKING:
    from auricle.pipeline import Captioner


def load_captioner(model: str, device: str, precision: Precision = Precision.float32) -> Captioner:
    with uncollected(), contextlib.redirect_stdout(sys.stderr):  # in case a library prints
        from huggingface_hub.utils import disable_progress_bars

        from auricle.pipeline import Captioner

        captioner = Captioner.from_pretrained(model, device=device, precision=precision.value)
    disable_progress_bars()  # after the downloads, only our bar is shown
    if precision is Precision.auto:
        say("note", f"precision {captioner.precision}: {captioner.precision_reason}")
    return captioner
