"""Names and folders -> models: bundled, local, on the Hugging Face Hub, or published."""

from auricle.hub.published import load_beats, load_published

__all__ = ["load_beats", "load_published"]
