"""Models by name or folder: bundled, local, on the Hugging Face Hub, or published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auricle.hub.published import load_beats, load_published

__all__ = ["load_beats", "load_published"]


def __getattr__(name: str) -> Any:
    if name in __all__:  # imports torch, so only on demand
        from auricle.hub import published

        return getattr(published, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
