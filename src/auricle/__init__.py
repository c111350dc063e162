"""auricle: automated audio captioning, one sentence about the sounds of each recording.

    import auricle

    captioner = auricle.load("tiny")
    for caption in captioner.caption(["rain.wav", "dog.mp3"]):
        print(caption.audio, caption.caption)

`Captioner.caption` also takes arrays, bytes, open files and recordings of Hugging Face datasets;
`Captioner.stream` yields captions as they are ready; `Captioner.embed_audio` and `embed_text` give
vectors for search. Every error that a user can fix is an `AuricleError`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from auricle.errors import AudioError, AuricleError, ModelError, SeveralError
from auricle.records import Candidate, Caption

if TYPE_CHECKING:
    from auricle.pipeline import Captioner

__version__ = "0.1.0"
__all__ = [
    "AudioError",
    "AuricleError",
    "Candidate",
    "Caption",
    "Captioner",
    "ModelError",
    "SeveralError",
    "load",
]


def load(name_or_folder: str | Path = "tiny", device: str = "auto", **options: Any) -> Captioner:
    """A captioner by name or folder; ``options`` such as ``precision`` are those of
    `Captioner.from_pretrained`."""
    from auricle.pipeline import Captioner

    return Captioner.from_pretrained(name_or_folder, device, **options)


def __getattr__(name: str) -> Any:
    if name == "Captioner":  # imports torch, so only on demand
        from auricle.pipeline import Captioner

        return Captioner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__doc__", "__version__"]
