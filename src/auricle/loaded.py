"""Loaded models: a captioner's models on their device, with its settings."""

from __future__ import annotations

import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import torch

from auricle.describing import Describer, is_calibrated
from auricle.errors import ModelError
from auricle.hearing import Source
from auricle.hub.ensemble import Ensemble, load_model, push_ensemble, save_ensemble
from auricle.model.device import pick_device
from auricle.model.precision import convert, move, parameter_count, resolve_precision
from auricle.settings import Decoding, chosen, one_of
from auricle.sources import OwnRate, Sources
from auricle.text.fluency import fluency_filter


class LoadedModels:
    """A single model or an ensemble, ready to describe recordings.

    Attributes:
        ensemble: the models; ``models`` and ``scorers`` are its members'.
        device: where the models are.
        sample_rate_hz: the sample rate that the models hear.
        max_duration_s: longer recordings are heard in parts of at most this length.
        precision, precision_reason: the number format of the models, and the reason for it.
    """

    precision: str = "float32"
    precision_reason: str = "as loaded"

    def __init__(self, ensemble: Ensemble) -> None:
        self.ensemble = ensemble
        self.models, self.scorers = ensemble.models, ensemble.scorers()
        self.sample_rate_hz = self.models[0].encoder.sample_rate_hz
        self.max_duration_s = min(model.config.max_duration_s for model in self.models)
        self._own_rate = OwnRate(self.sample_rate_hz)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.ensemble.name!r}: {len(self.models)} model"
            f"{'s' if len(self.models) > 1 else ''} on {self.device}, {self.precision}>"
        )

    @classmethod
    def from_pretrained(
        cls, name_or_folder: str | Path, device: str = "auto", precision: str = "float32"
    ) -> Self:
        """Load ``tiny``, ``clotho``, a model folder, or owner/name on the Hugging Face Hub.

        Args:
            device: ``auto`` takes a GPU when there is one; ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
            precision: ``float32`` | ``bf16`` | ``fp16`` | ``int8``, or ``auto`` (see
                `auricle.model.precision`). In less than float32 the model cannot be saved.

        Raises:
            ModelError: there is no such model, device or precision; the message names the fix.
        """
        place = pick_device(device)
        resolve_precision(precision, place)  # fail before a long load
        captioner = cls(load_model(name_or_folder, place))
        parameters = max(map(parameter_count, captioner.models))
        chosen, reason = resolve_precision(precision, place, parameters)
        for model in captioner.models:
            convert(model, chosen)
        captioner.precision, captioner.precision_reason = chosen, reason
        return captioner

    @property
    def device(self) -> torch.device:
        return self.models[0].device

    def to(self, device: str | torch.device) -> Self:
        """Move the models and text embedders to ``device``, a name as for `from_pretrained`.

        Raises:
            ModelError: there is no such device, or the weights are rounded for another one.
        """
        place = pick_device(device)
        for model in self.models:
            move(model, place)
        for scorer in self.scorers:
            if scorer.embedder:
                scorer.embedder.to(place)
        return self

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json, model.safetensors, tokenizer.json and the model card; for an ensemble,
        those of every member, and its own config.json and card."""
        save_ensemble(folder, self.ensemble)

    def push_to_hub(self, repo_id: str, private: bool = False, token: str | None = None) -> str:
        """Upload the model folder to the Hugging Face Hub and return its address."""
        return push_ensemble(self.ensemble, repo_id, private, token)

    def decoding(
        self,
        decode: str | None = None,
        *,
        seed: int = 0,
        every_term: bool = False,
        min_confidence: float = 0.0,
        num_beams: int | None = None,
        **changes: Any,
    ) -> Decoding:
        """The model's decoding settings with these changes; None keeps a setting.

        Args:
            decode: ``nucleus``, ``beam``, ``diverse-beam`` or ``greedy``.
            num_beams: the number of ``candidates`` of a beam search, which it chooses, as in
                transformers, where ``decode`` and the model do not.
            changes: other settings, by their names in `DecodeOptions`.

        Raises:
            TypeError: there is no such setting; the message names the right one.
            ValueError: a setting is out of range.
            ModelError: ``min_confidence`` needs a calibration that the model does not have.
        """
        options = chosen(self.ensemble.decoding, decode, num_beams, changes)
        if min_confidence and not is_calibrated(self.ensemble, options):
            raise ModelError(
                f"{self.ensemble.name}: min_confidence={min_confidence}: no calibration for "
                f"{options.method} decoding; `auricle tune confidence` fits one"
            )
        return Decoding(options, operator.index(seed), every_term, min_confidence)

    def _sources(
        self,
        sample_rate: int | None,
        sampling_rate: int | None,
        allow_urls: bool,
        audio: Callable[[Any], Source] | None = None,
    ) -> Sources:
        rate_hz = one_of(sample_rate=sample_rate, sampling_rate=sampling_rate)
        return Sources(self._own_rate, rate_hz, allow_urls, audio)

    def describer(self, decoding: Decoding) -> Describer:
        """What the captions of one call are made by."""
        fluency_filter(decoding.options.fluency, str(self.device))  # before any is heard
        return Describer(self.ensemble, self.scorers, decoding)
