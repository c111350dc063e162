"""CLAP (Wu et al., "Large-scale contrastive language-audio pretraining", ICASSP 2023): the space of
any checkpoint that transformers loads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auricle.errors import AudioError, MissingDependencyError, ModelError
from auricle.extras import install_command
from auricle.metrics.space import Space
from auricle.text.pretrained import check_pretrained, check_size, loaded

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from auricle.data.clip import Clip

BATCH = 64  # captions


class ClapSpace(Space):
    """Captions and sounds as a CLAP checkpoint places them.

    A recording longer than the checkpoint hears at once (10 s) is heard in windows, whose vectors
    are averaged by their length: the published code takes a random part, which no score should
    depend on. Windows are heard one by one, because a fused checkpoint marks one of a batch at
    random as longer.

    Args:
        name: a folder, or a name on the Hugging Face Hub.

    Raises:
        ModelError: it cannot be had, or is no CLAP checkpoint; says what to fetch.
    """

    def __init__(self, name: str, device: str = "cpu") -> None:
        import torch

        try:
            from transformers import ClapModel, ClapProcessor
        except ImportError as error:
            raise MissingDependencyError(
                f"CLAP needs transformers: {install_command('eval')}"
            ) from error

        from auricle.fetch.hub import download
        from auricle.fetch.names import CLAP_FILES

        is_folder = Path(name).is_dir()
        folder = Path(name) if is_folder else download(name, CLAP_FILES)
        super().__init__(folder.name if is_folder else name)
        try:
            check_pretrained(folder)
            check_size(folder)
            model: torch.nn.Module = loaded(lambda: ClapModel.from_pretrained(folder), folder)
            self.processor = loaded(lambda: ClapProcessor.from_pretrained(folder), folder)
            extractor = self.processor.feature_extractor
            rate_hz, window = extractor.sampling_rate, extractor.nb_max_samples
            if not (8_000 <= rate_hz <= 192_000 and 0 < window <= 600 * rate_hz):
                raise ModelError(f"windows of {window:,} samples at {rate_hz:,} Hz")
        except ModelError as error:
            raise ModelError(f"{name}: transformers loads no CLAP from it ({error})") from error
        self.model: Any = model.to(torch.device(device)).eval()
        self.sample_rate_hz = int(rate_hz)
        self.window = int(window)  # samples
        self.device = torch.device(device)

    def texts(self, captions: Sequence[str]) -> Tensor:
        import torch

        distinct = list(dict.fromkeys(captions))
        rows: list[Tensor] = []
        for start in range(0, len(distinct), BATCH):
            batch = self.processor(
                text=distinct[start : start + BATCH],
                padding=True,
                truncation=True,
                return_tensors="pt",
            )
            with torch.inference_mode():
                rows += _unit(self.model.get_text_features(**batch.to(self.device)))
        place = {text: number for number, text in enumerate(distinct)}
        return torch.stack([rows[place[text]] for text in captions])

    def new_sounds(self, clips: Sequence[Clip]) -> list[Tensor | AudioError]:
        from auricle.hearing import load

        found: list[Tensor | AudioError] = []
        for clip in clips:
            try:
                found.append(self._sound(load(clip, self.sample_rate_hz).waveform))
            except AudioError as error:
                found.append(error)
        return found

    def _sound(self, waveform: np.ndarray) -> Tensor:
        """float32 [L] -> unit vector [E]."""
        import torch
        from torch.nn import functional as F

        starts = range(0, max(1, len(waveform)), self.window)
        parts = [waveform[start : start + self.window] for start in starts]
        rows = []
        for part in parts:
            batch = self.processor(
                audio=[part], sampling_rate=self.sample_rate_hz, return_tensors="pt"
            )
            with torch.inference_mode():
                rows.append(_unit(self.model.get_audio_features(**batch.to(self.device)))[0])
        shares = torch.tensor([float(len(part)) for part in parts])
        return F.normalize((torch.stack(rows) * shares[:, None]).sum(dim=0), dim=-1)


def _unit(features: Any) -> Tensor:
    """Unit vectors [N, E]; transformers 5 wraps what version 4 returns."""
    from torch.nn import functional as F

    vectors: Tensor = getattr(features, "pooler_output", features)
    return F.normalize(vectors.float(), dim=-1).cpu()
