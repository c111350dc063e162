"""A model's name -> the folder that holds it: bundled, local, or on the Hugging Face Hub."""

from __future__ import annotations

import re
from pathlib import Path

from auricle.errors import ModelError

BUNDLED = Path(__file__).parent.parent / "models"
PUBLISHED = "slseanwu/beats-conformer-bart-audio-captioner"
PUBLISHED_TOKENIZER = "facebook/bart-base"
ALIASES = {"clotho": PUBLISHED}

_TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "merges.txt")
_WEIGHT_FILES = ("*.json", "*.safetensors", "pytorch_model.bin", "merges.txt", "README.md")


def bundled_models() -> list[str]:
    """Names of the models inside the package."""
    return sorted(path.parent.name for path in BUNDLED.glob("*/config.json"))


def resolve(name: str | Path) -> Path:
    """The folder of the model called ``name``.

    Tried in turn: a bundled model, an alias, an existing folder, a repository ``owner/name`` on
    the Hub (from its local cache when it is there).

    Raises:
        ModelError: no such model; the message says which names there are, or what to fetch.
    """
    text = str(name)
    if text in bundled_models():
        return BUNDLED / text
    repository = ALIASES.get(text, text)
    if repository == text and Path(name).is_dir():
        return Path(name)
    if isinstance(name, Path) or not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        known = ", ".join([*bundled_models(), *ALIASES])
        raise ModelError(
            f"{text}: no such model; give a bundled name or alias ({known}), a model folder, or "
            "owner/name on the Hugging Face Hub"
        )
    return download(repository, _WEIGHT_FILES)


def tokenizer_folder() -> Path:
    """The folder of BART's tokenizer, which the published checkpoint does without."""
    return download(PUBLISHED_TOKENIZER, _TOKENIZER_FILES)


def download(repository: str, patterns: tuple[str, ...]) -> Path:
    """A snapshot of a Hub repository, from the local cache where the network is away.

    Raises:
        ModelError: one sentence that says which files to fetch and where to put them.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.constants import HF_HUB_CACHE
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, allow_patterns=list(patterns)))
    except (LocalEntryNotFoundError, HfHubHTTPError) as error:
        parts = [f"{repository} ({', '.join(patterns)})"]
        if repository == PUBLISHED:
            from auricle.text.embedder import INSTRUCTOR

            parts += [
                f"{PUBLISHED_TOKENIZER} ({', '.join(_TOKENIZER_FILES)})",
                f"{INSTRUCTOR} (all files)",
            ]
        wanted = ", ".join(parts)
        raise ModelError(
            f"{repository} is not on this machine and the Hugging Face Hub did not give it "
            f"({type(error).__name__}): where there is a network, run `hf download` for {wanted}, "
            f"and copy the downloaded models--* folders into {HF_HUB_CACHE}"
        ) from error
