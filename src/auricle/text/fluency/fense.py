"""The published error detector of FENSE: BERT, and a linear layer on its first token.

Zhou et al., "Can audio captions be evaluated with image caption metrics?", ICASSP 2022, section
3.2; github.com/blmoistawinde/fense, release V0.1. A checkpoint is a pickled dictionary of
``model_type`` (BERT's name on the Hugging Face Hub), ``num_classes`` and ``state_dict``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from auricle.errors import DataError, MissingDependencyError, ModelError, in_one_line, reason
from auricle.extras import install_command
from auricle.fetch import http
from auricle.fetch.cache import cache_folder
from auricle.fetch.hub import download
from auricle.model.meta import unfilled
from auricle.model.weights import Kind, check_fit, finite, kinds_of, read_pickle, tensors_of
from auricle.schema import shown
from auricle.text.fluency.detector import CLASSES, FluencyDetector
from auricle.text.pretrained import check_pretrained, loaded

ADDRESS = "https://github.com/blmoistawinde/fense/releases/download/V0.1"
SHA256 = {  # as published in the reference implementation's list of downloads
    "echecker_clotho_audiocaps_base": (
        "1a719f090af70614bbdb9f9437530b7e133c48cfa4a58d964de0d47fc974a2fa"
    ),
    "echecker_clotho_audiocaps_tiny": (
        "90ed0ac5033ec497ec66d4f68588053813e085671136dae312097c96c504f673"
    ),
}
BACKBONE_FILES = ("config.json", "vocab.txt", "tokenizer.json", "tokenizer_config.json")
THRESHOLD = 0.9  # section 3.2
PAUSE_S = 0.1  # without a network, a model is refused in 1.5 s
MAX_TOKENS = 64  # of the reference implementation
_BATCH = 32
_PUNCTUATION = re.compile(r"[^\w\s]")


class FenseDetector(FluencyDetector):
    """The published detector, built by `load`; ``encoder`` is a transformers BERT, ``tokenizer``
    its tokenizer."""

    threshold = THRESHOLD

    def __init__(
        self, name: str, encoder: nn.Module, head: nn.Linear, tokenizer: Any, device: str
    ) -> None:
        self.name = name
        self.device = torch.device(device)
        self.encoder, self.head = encoder.to(self.device).eval(), head.to(self.device).eval()
        self.tokenizer = tokenizer

    @torch.inference_mode()
    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        found = [torch.zeros(0, len(CLASSES))]
        for start in range(0, len(texts), _BATCH):
            plain = [_PUNCTUATION.sub("", text).lower() for text in texts[start : start + _BATCH]]
            tokens = self.tokenizer(
                plain, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
            ).to(self.device)
            hidden = self.encoder(**tokens).last_hidden_state  # [B, T, D]
            found.append(self.head(hidden[:, 0]).sigmoid().float().cpu())
        return torch.cat(found).numpy()

    @classmethod
    def load(cls, path: Path, sha256: str | None = None, device: str = "cpu") -> FenseDetector:
        """Load a checkpoint, after a check of its digest.

        Raises:
            ModelError: its digest is not ``sha256`` (or, without it, that of a released file), it
                is not in this format, or the files of its BERT cannot be loaded.
        """
        digest = _digest(path)
        if digest not in ([sha256.lower()] if sha256 else SHA256.values()):
            wanted = sha256 or "that of a released file"
            raise ModelError(
                f"{path}: its SHA-256 is {digest}, not {wanted}; fetch it again from {ADDRESS}, or "
                "give the digest of a file you trust"
            )
        published = {value: name for name, value in SHA256.items()}
        kind, state = _read(path)
        return cls(f"FENSE {published.get(digest, path.name)}", *_build(kind, state, path), device)


def release(name: str) -> tuple[Path, str]:
    """(path, SHA-256) of a released checkpoint, from the cache or its address.

    Raises:
        ModelError: it is in neither; names the file to fetch and where to put it.
    """
    path = cache_folder() / "fense" / f"{name}.ckpt"
    if not path.is_file():
        try:
            http.download(
                f"{ADDRESS}/{path.name}", path, SHA256[name], pause_s=PAUSE_S, algorithm="sha256"
            )
        except (OSError, DataError) as error:  # no folder; no network, no space, another digest
            raise ModelError(
                f"{name}: not on this machine ({reason(error)}); where there is a network, fetch "
                f"{ADDRESS}/{path.name} and put it at {path}"
            ) from error
    return path, SHA256[name]


def _digest(path: Path) -> str:
    try:
        return http.digest(path, "sha256")
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error})") from error


def _read(path: Path) -> tuple[str, dict[str, Tensor]]:
    """The BERT's name and the weights; no code in the file runs."""
    try:
        content = read_pickle(path)
        kind, classes, state = (content[k] for k in ("model_type", "num_classes", "state_dict"))
    except (ModelError, KeyError, TypeError) as error:
        found = str(error) if isinstance(error, ModelError) else in_one_line(error)
        raise ModelError(f"{path}: not a checkpoint in FENSE's format ({found})") from error
    if classes != len(CLASSES):
        raise ModelError(
            f"{path}: has {shown(classes)} classes; a FENSE detector has {len(CLASSES)}"
        )
    return str(kind), tensors_of(state, path)


def _build(kind: str, state: dict[str, Tensor], path: Path) -> tuple[nn.Module, nn.Linear, Any]:
    """(encoder, head, tokenizer) of the BERT called ``kind``: a name on the Hub, or an absolute
    path; never a folder in the working directory."""
    try:
        from transformers import BertTokenizer
    except ImportError as error:
        raise MissingDependencyError(
            f"{path}: FENSE's detectors need transformers: {install_command('clotho')}"
        ) from error

    folder = Path(kind) if Path(kind).is_absolute() else download(kind, BACKBONE_FILES)
    if not folder.is_dir():
        raise ModelError(f"{path}: no folder {shown(kind)} of its BERT; name one on the Hub")
    check_pretrained(folder)
    with unfilled():
        needed = kinds_of(loaded(lambda: _modules(folder), folder))
    state.pop("encoder.embeddings.position_ids", None)  # a constant that older versions stored
    check_fit({name: Kind.of(tensor) for name, tensor in state.items()}, needed, path)
    model = _modules(folder)
    model.load_state_dict(finite(state, path))
    head = model["clf"]
    assert isinstance(head, nn.Linear)
    return model["encoder"], head, loaded(lambda: BertTokenizer.from_pretrained(folder), folder)


def _modules(folder: Path) -> nn.ModuleDict:
    """Encoder and head, of the folder's configuration."""
    from transformers import BertConfig, BertModel

    config = BertConfig.from_pretrained(folder)
    head = nn.Linear(config.hidden_size, len(CLASSES))
    return nn.ModuleDict({"encoder": BertModel(config), "clf": head})
