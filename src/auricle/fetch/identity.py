"""Identity of a model: a digest of the files that decide its captions, without loading them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from auricle.errors import ModelError
from auricle.fetch.names import resolve

SUFFIXES = frozenset((".json", ".safetensors", ".bin", ".txt", ".model"))
INNER = ("members/*", "text_embedder")  # folders inside a model's
REPORTS = frozenset(("tuning.json",))  # they say how a file was made, and decide nothing


def model_digest(name: str | Path) -> str:
    """BLAKE2b of the weights and settings in the folder of the model called ``name``, in
    hexadecimal: a model that was trained again under its name has another one.

    Raises ModelError: there is no such model, or a file cannot be read.
    """
    folder = resolve(name)
    digest = hashlib.blake2b(digest_size=16)
    try:
        for path in _files(folder):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "blake2b").hexdigest()
            digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    except OSError as error:
        raise ModelError(f"{error.filename}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    members = [inner for pattern in INNER for inner in folder.glob(pattern)]
    folders = [folder, *members, *(member / "text_embedder" for member in members)]
    return sorted(
        path
        for one in folders
        if one.is_dir()
        for path in one.iterdir()
        if path.suffix in SUFFIXES and path.name not in REPORTS and path.is_file()
    )
