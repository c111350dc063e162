"""Our own fluency detector: a small network, trained on captions that rules have broken.

``recipes/fluency/train.py`` trained the one in this package. It is not the FENSE error detector.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from auricle.errors import ModelError
from auricle.text.fluency.detector import CLASSES, FluencyDetector
from auricle.text.fluency.network import FluencyConfig, FluencyNetwork, Words, caption_logits
from auricle.text.normalise import as_judged

BUNDLED = Path(__file__).parent / "model"
FORMAT = "auricle-fluency-1"
CONFIG, WEIGHTS = "config.json", "model.safetensors"
_BATCH = 256


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
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
            if config["format"] != FORMAT or tuple(config["classes"]) != CLASSES:
                raise ValueError(f"its format is not {FORMAT} with the classes of this version")
            network = FluencyNetwork(FluencyConfig(**config["network"]))
            state = load_file(folder / WEIGHTS)
            network.load_state_dict({name: tensor.float() for name, tensor in state.items()})
            return cls(network, float(config["threshold"]), device)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise ModelError(
                f"{folder}: not a fluency detector ({error}); recipes/fluency/train.py writes one"
            ) from error
