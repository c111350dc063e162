"""Model names -> model folders: bundled, local, or on the Hugging Face Hub."""

from __future__ import annotations

import os
import re
from pathlib import Path

from auricle.errors import ModelError
from auricle.fetch.hub import download
from auricle.printable import printable

BUNDLED = Path(__file__).parent.parent / "models"
PUBLISHED = "slseanwu/beats-conformer-bart-audio-captioner"
PUBLISHED_TOKENIZER = "facebook/bart-base"
INSTRUCTOR = "hkunlp/instructor-xl"
ALIASES = {"clotho": PUBLISHED}

EMBEDDER_FILES = ("*.json", "*.txt", "*.model", "*.safetensors", "*.bin")
CLAP_FILES = ("*.json", "*.txt", "*.safetensors", "pytorch_model.bin")
TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "merges.txt")
_WEIGHT_FILES = (
    "*.json",
    "*.safetensors",
    "pytorch_model.bin",
    "merges.txt",
    "*.md",
    "text_embedder/*",
)


def bundled_models() -> list[str]:
    """Names of the models inside the package."""
    return sorted(path.parent.name for path in BUNDLED.glob("*/config.json"))


def resolve(name: str | Path) -> Path:
    """The folder of the model called ``name``.

    Tried in this order: a bundled model, an alias, an existing folder, a repository ``owner/name``
    on the Hub (from its local cache if it is there).

    Raises:
        ModelError: there is no such model; the message lists the names, or the files to fetch.
    """
    text = str(name)
    if text in bundled_models():
        return BUNDLED / text
    repository = ALIASES.get(text, text)
    if repository == text and os.path.isdir(name):  # noqa: PTH112  (of a name too long, False)
        return Path(name)
    if isinstance(name, Path) or not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        known = ", ".join([*bundled_models(), *ALIASES])
        raise ModelError(
            f"{printable(text[:200])}: no such model; give a bundled name or alias ({known}), a"
            " model folder, or owner/name on the Hugging Face Hub"
        )
    others = {PUBLISHED_TOKENIZER: TOKENIZER_FILES, INSTRUCTOR: EMBEDDER_FILES}
    return download(repository, _WEIGHT_FILES, others if repository == PUBLISHED else None)


def tokenizer_folder() -> Path:
    """The folder of BART's tokenizer, which the published checkpoint does not include."""
    return download(PUBLISHED_TOKENIZER, TOKENIZER_FILES)
