"""auricle: automated audio captioning, one sentence about the sounds of each recording.

import auricle

for caption in auricle.load("tiny").caption(["rain.wav", "dog.mp3"]):
    print(caption.audio, caption.caption)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from auricle.records import Candidate, Caption

if TYPE_CHECKING:
    from auricle.pipeline import Captioner

__version__ = "0.1.0"
__all__ = ["Candidate", "Caption", "Captioner", "load"]


def load(name_or_folder: str | Path = "tiny", device: str = "auto") -> Captioner:
    """A captioner by name or folder; see `Captioner.from_pretrained`."""
    from auricle.pipeline import Captioner

    return Captioner.from_pretrained(name_or_folder, device)


def __getattr__(name: str) -> Any:
    if name == "Captioner":  # imports torch, so only on demand
        from auricle.pipeline import Captioner

        return Captioner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
