"""auricle: automated audio captioning, one sentence about the sounds of each recording.

    import auricle

    captioner = auricle.load("tiny")
    for caption in captioner.caption(["rain.wav", "dog.mp3"]):
        print(caption.audio, caption.caption)

`Captioner.caption` also takes arrays, bytes, open files and recordings of Hugging Face datasets;
`Captioner.stream` yields captions as they are ready; `Captioner.embed_audio` and `embed_text` give
vectors, and `Library` finds sounds of an index. `auricle.connect(url)` gives a client of
`auricle serve` with the same `caption`. Every error that a user can fix is an `AuricleError`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from auricle.errors import AudioError, AuricleError, ModelError, ServiceError, SeveralError
from auricle.records import Candidate, Caption

if TYPE_CHECKING:
    from auricle.client import Client
    from auricle.pipeline import Captioner
    from auricle.search.search import Library

__version__ = "0.1.0"
__all__ = [
    "AudioError",
    "AuricleError",
    "Candidate",
    "Caption",
    "Captioner",
    "Client",
    "Library",
    "ModelError",
    "ServiceError",
    "SeveralError",
    "connect",
    "load",
]


def load(name_or_folder: str | Path = "tiny", device: str = "auto", **options: Any) -> Captioner:
    """A captioner by name or folder; ``options`` such as ``precision`` are those of
    `Captioner.from_pretrained`."""
    from auricle.pipeline import Captioner

    return Captioner.from_pretrained(name_or_folder, device, **options)


def connect(url: str, api_key: str | None = None, timeout_s: float = 600.0) -> Client:
    """A client of the service at ``url``, such as http://127.0.0.1:8000; ``api_key`` is by default
    the environment's AURICLE_API_KEY, and ``timeout_s`` how long an answer may take."""
    from auricle.client import Client

    return Client(url, api_key, timeout_s)


def __getattr__(name: str) -> Any:
    if name == "Captioner":  # imports torch, so only on demand
        from auricle.pipeline import Captioner

        return Captioner
    if name == "Client":
        from auricle.client import Client

        return Client
    if name == "Library":
        from auricle.search.search import Library

        return Library
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__doc__", "__version__"]
