"""Our own fluency detector: a small network, trained on captions that rules have broken.

``scripts/fluency/train.py`` trained the one in this package. It is not the FENSE error detector.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch

from auricle.errors import ModelError
from auricle.files import read_json
from auricle.model.meta import unfilled
from auricle.model.weights import kinds_of, load_fitting
from auricle.schema import Range, build, check
from auricle.text.fluency.detector import CLASSES, FluencyDetector
from auricle.text.fluency.network import FluencyConfig, FluencyNetwork, Words, caption_logits
from auricle.text.normalise import as_judged

BUNDLED = Path(__file__).parent / "model"
FORMAT = "auricle-fluency-1"
CONFIG, WEIGHTS = "config.json", "model.safetensors"
_BATCH = 256


@dataclass(frozen=True)
class DetectorConfig:
    """The config.json of a detector: its threshold, and the classes of its network's outputs."""

    format: Literal["auricle-fluency-1"]
    classes: tuple[str, ...]
    threshold: Annotated[float, Range(0, 1)]
    network: FluencyConfig

    def __post_init__(self) -> None:
        check(self, {"classes": (self.classes == CLASSES, f"those of this version, {CLASSES}")})


class OwnDetector(FluencyDetector):
    """Our own detector; its recipe chooses ``threshold`` on held-out whole captions."""

    name = "auricle fluency (own detector)"

    def __init__(self, network: FluencyNetwork, threshold: float, device: str = "cpu") -> None:
        self.device = torch.device(device)
        self.network = network.to(self.device).eval()
        self.threshold = threshold

    @torch.inference_mode()
    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """As in the base class. A caption of fewer than two words counts as incomplete."""
        captions = [as_judged(text) for text in texts]
        found = torch.zeros(len(captions), len(CLASSES))
        order = sorted(range(len(captions)), key=lambda i: captions[i].count(" "))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            words = Words.of([captions[i] for i in rows], self.network.config.buckets)
            logits = caption_logits(self.network(words.to(self.device)))
            found[rows] = logits.sigmoid().cpu()
        short = torch.tensor([" " not in caption for caption in captions], dtype=torch.bool)
        found[short] = torch.tensor([float(name in ("add_tail", "error")) for name in CLASSES])
        return found.numpy()

    def save(self, folder: Path) -> None:
        """Write ``config.json`` and ``model.safetensors`` (float16)."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        config = {
            "format": FORMAT,
            "classes": CLASSES,
            "threshold": self.threshold,
            "network": asdict(self.network.config),
        }
        (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        state = {name: t.half().contiguous() for name, t in self.network.state_dict().items()}
        save_file(state, folder / WEIGHTS, {"format": FORMAT})

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> OwnDetector:
        """The detector that `save` wrote.

        Raises:
            ModelError: a file is missing or not in this format.
        """
        try:
            config = build(DetectorConfig, read_json(folder / CONFIG), str(folder / CONFIG))
            with unfilled():
                network = FluencyNetwork(config.network)
            state = load_fitting(folder / WEIGHTS, kinds_of(network))
        except ModelError as error:
            raise ModelError(
                f"{folder}: not a fluency detector ({error}); scripts/fluency/train.py writes one"
            ) from error
        network.load_state_dict({k: tensor.float() for k, tensor in state.items()}, assign=True)
        return cls(network, config.threshold, device)
