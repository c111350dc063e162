"""The one path a recording takes: load, encode once, decode, rerank, Caption."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from auricle.audio.load import AudioInput, Recording, load_audio, source_name
from auricle.decoding.candidates import Pool, find_candidates, joint_steps
from auricle.decoding.confidence import NO_SOUND, confidence, declined
from auricle.decoding.ensemble import encode_together
from auricle.decoding.hypothesis import Scorer
from auricle.decoding.options import DecodeOptions, with_method
from auricle.decoding.rerank import choose
from auricle.decoding.streaming import stream_tokens
from auricle.errors import AudioError, ModelError
from auricle.hub.ensemble import Ensemble, load_model, save_ensemble
from auricle.hub.folder import Bundle, EmbedderSpec, save_bundle
from auricle.model.precision import convert, parameter_count, resolve_precision
from auricle.records import Candidate, Caption
from auricle.text.embedder import TextEmbedder

SILENCE_PEAK = 10 ** (-80 / 20)  # -80 dBFS: under the last bits of a 16-bit recording

OnError = Callable[[AudioInput, AudioError], None]
OnNote = Callable[[AudioInput, str], None]


@dataclass(frozen=True)
class Decoding:
    """How the recordings of one call are captioned; the arguments of `Captioner.stream`."""

    options: DecodeOptions
    seed: int
    every_term: bool
    min_confidence: float


class Captioner:
    """A model or an ensemble with its tokenizers and text embedders, from waveforms to `Caption`
    records.

    Attributes:
        models, scorers: the members of an ensemble, or the one model there is; ``model`` and
            ``tokenizer`` are the first one's.
        sample_rate_hz: of the waveforms that the models hear.
        max_duration_s: of longer recordings the start is heard.
        precision, precision_reason: in what numbers the models compute, and why in those.
    """

    precision: str = "float32"
    precision_reason: str = "as loaded"

    def __init__(self, bundle: Bundle | Ensemble) -> None:
        self.bundle = bundle
        members = bundle.bundles if isinstance(bundle, Ensemble) else (bundle,)
        self.models = tuple(member.model for member in members)
        self.model = self.models[0]
        self.sample_rate_hz = self.models[0].encoder.sample_rate_hz
        self.max_duration_s = min(model.config.max_duration_s for model in self.models)
        self.scorers = scorers(bundle)
        self.pool: Pool = bundle.config.pool if isinstance(bundle, Ensemble) else "candidates"
        self.tokenizer = self.scorers[0].tokenizer

    @classmethod
    def from_pretrained(
        cls, name_or_folder: str | Path, device: str = "auto", precision: str = "float32"
    ) -> Captioner:
        """Load ``tiny``, ``clotho``, a model folder, or owner/name on the Hugging Face Hub.

        Args:
            device: ``auto`` takes a GPU when there is one; ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
            precision: ``float32`` | ``bf16`` | ``fp16`` | ``int8``, or ``auto`` (see
                `auricle.model.precision`). In less than float32 the model cannot be saved.

        Raises:
            ModelError: no such model, device or precision; what to do about it.
        """
        place = pick_device(device)
        resolve_precision(precision, place)  # is it there? Better asked before a long load
        captioner = cls(load_model(name_or_folder, place))
        parameters = max(map(parameter_count, captioner.models))
        chosen, reason = resolve_precision(precision, place, parameters)
        for model in captioner.models:
            convert(model, chosen)
        captioner.precision, captioner.precision_reason = chosen, reason
        return captioner

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json, model.safetensors, tokenizer.json and the model card; of an ensemble
        those of every member, and its own config.json and card."""
        if isinstance(self.bundle, Ensemble):
            save_ensemble(folder, self.bundle)
        else:
            save_bundle(folder, self.bundle)

    def push_to_hub(self, repo_id: str, private: bool = False, token: str | None = None) -> str:
        """Upload the model folder to the Hugging Face Hub and return its address."""
        from huggingface_hub import HfApi

        api = HfApi(token=token)
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            api.create_repo(repo_id, private=private, exist_ok=True)
            return str(api.upload_folder(repo_id=repo_id, folder_path=folder))

    def caption(
        self, audio: AudioInput | np.ndarray | Iterable[AudioInput | np.ndarray], **settings: Any
    ) -> list[Caption]:
        """Caption one recording or several; an array alone is taken to be at the model's rate.

        ``settings`` are those of `stream`. Without ``on_error`` the first recording that cannot
        be captioned raises its AudioError.
        """
        single = isinstance(audio, str | os.PathLike | bytes | tuple)
        sources = [audio] if single or hasattr(audio, "read") or hasattr(audio, "shape") else audio
        return list(self.stream(sources, **settings))  # type: ignore[arg-type]

    def stream(
        self,
        sources: Iterable[AudioInput | np.ndarray],
        *,
        decode: str | None = None,
        seed: int = 0,
        batch_size: int = 8,
        every_term: bool = False,
        min_confidence: float = 0.0,
        on_error: OnError | None = None,
        on_note: OnNote | None = None,
        **changes: Any,
    ) -> Iterator[Caption]:
        """Captions of ``sources`` as they are ready, in the order given.

        Args:
            sources: recordings (`AudioInput`), or arrays and tensors [L] at the model's sample
                rate.
            decode: ``nucleus``, ``beam``, ``diverse-beam`` or ``greedy``; None for the model's own.
            changes: of the model's other decoding settings, by their names in `DecodeOptions`.
            seed: fixes the samples of every clip, whatever the batch.
            every_term: compute also the terms of reranking that have no weight.
            min_confidence: a caption that is less certain becomes `NO_SOUND`.
            on_error: called with a source that cannot be read and why, and the others go on;
                None raises instead.
            on_note: called with a source and what its user should know, such as that only its
                start was heard.
        """
        options = self.options(decode, **changes)
        if min_confidence and not self._calibrated(options):
            raise ModelError(
                f"{self.bundle.name}: min_confidence={min_confidence}: no calibration for "
                f"{options.method} decoding; `auricle tune confidence` fits one"
            )
        decoding = Decoding(options, seed, every_term, min_confidence)
        iterator = iter(sources)
        while chunk := list(islice(iterator, batch_size)):
            loaded = (self._load(source, on_error, on_note) for source in chunk)
            recordings = [recording for recording in loaded if recording is not None]
            if recordings:
                yield from self._caption_batch(recordings, decoding)

    def speak(
        self,
        source: AudioInput | np.ndarray,
        *,
        decode: str = "greedy",
        seed: int = 0,
        on_note: OnNote | None = None,
        **changes: Any,
    ) -> Iterator[str]:
        """The caption of one recording piece by piece, as its tokens are chosen: the greedy one, or
        one nucleus sample. Nothing is reranked.

        The other arguments are those of `stream`.

        Raises:
            AudioError: the recording cannot be read.
            ModelError: an ensemble whose members search one after the other.
            ValueError: a search of beams, which chooses at its end.
        """
        options = self.options(decode, **changes)
        recording = self._load(source, None, on_note)
        assert recording is not None
        if np.abs(recording.waveform).max(initial=0.0) <= SILENCE_PEAK:
            yield NO_SOUND
            return
        memories = encode_together(self.models, [recording.waveform])
        steps = joint_steps(self.scorers, memories, self.pool)
        yield from stream_tokens(steps, self.tokenizer, options, seed)

    def options(self, decode: str | None = None, **changes: Any) -> DecodeOptions:
        """The model's decoding settings with these changed; None leaves one as it is.

        Raises:
            TypeError: there is no such setting.
            ValueError: a setting is out of range.
        """
        options = with_method(self.bundle.decoding, decode or self.bundle.decoding.method)
        return replace(options, **{k: v for k, v in changes.items() if v is not None})

    def _load(
        self, source: AudioInput | np.ndarray, on_error: OnError | None, on_note: OnNote | None
    ) -> Recording | None:
        rate, limit = self.sample_rate_hz, self.max_duration_s
        given: AudioInput = (source, rate) if hasattr(source, "shape") else source  # type: ignore[assignment]
        try:
            recording = load_audio(given, rate, end_s=limit)
        except AudioError as error:
            if on_error is None:
                raise
            on_error(given, error)
            return None
        heard_s = len(recording.waveform) / rate
        if on_note and recording.duration_s > heard_s + 0.05:
            on_note(
                given,
                f"{source_name(given)}: {recording.duration_s:.0f} s long; "
                f"captioned its first {heard_s:.0f} s",
            )
        return recording

    @torch.inference_mode()
    def _caption_batch(self, recordings: list[Recording], decoding: Decoding) -> list[Caption]:
        """Captions of recordings that fit in memory together."""
        audible = [np.abs(r.waveform).max(initial=0.0) > SILENCE_PEAK for r in recordings]
        heard = [r for r, loud in zip(recordings, audible, strict=True) if loud]
        found = iter(self._candidates(heard, decoding) if heard else [])
        return [
            self._caption(recording, next(found) if loud else [], decoding)
            for recording, loud in zip(recordings, audible, strict=True)
        ]

    def _candidates(self, recordings: list[Recording], decoding: Decoding) -> list[list[Candidate]]:
        """Each recording is encoded once, by every encoder there is."""
        memories = encode_together(self.models, [r.waveform for r in recordings])
        every_term = decoding.every_term or self._calibrated(decoding.options)
        return find_candidates(
            self.scorers, memories, decoding.options, decoding.seed, self.pool, every_term
        )

    def _calibrated(self, options: DecodeOptions) -> bool:
        """Whether confidence is known of captions decoded so."""
        calibration = self.bundle.calibration
        return calibration is not None and calibration.method == options.method

    def _caption(
        self, recording: Recording, candidates: list[Candidate], decoding: Decoding
    ) -> Caption:
        """The record of one recording; without candidates nothing was heard."""
        best = choose(candidates) if candidates else None
        text = best.text if best else NO_SOUND
        sure = None
        if best and self._calibrated(decoding.options):
            assert self.bundle.calibration is not None
            sure = confidence(self.bundle.calibration, best)
            if sure < decoding.min_confidence:
                text = NO_SOUND
                unsure = declined(best, sure, decoding.min_confidence)
                candidates = [unsure if c is best else c for c in candidates]
        return Caption(
            audio=recording.name,
            start_s=0.0,
            end_s=round(len(recording.waveform) / recording.sample_rate_hz, 3),
            caption=text,
            score=best.score if best else None,
            candidates=tuple(candidates),
            model=self.bundle.name,
            decode=decoding.options.method,
            seed=decoding.seed,
            confidence=sure,
        )


def scorers(model: Bundle | Ensemble) -> tuple[Scorer, ...]:
    """A model's one scorer, an ensemble's several; a text embedder that some share is one object.

    Raises:
        ModelError: a model without tokenizer.
    """
    if isinstance(model, Ensemble):
        bundles = model.bundles
        names = [m.name for m in model.config.members]
        weights = [(m.likelihood_weight, m.similarity_weight) for m in model.config.members]
    else:
        bundles, names, weights = (model,), [model.name], [(1.0, 1.0)]
    embedders: dict[EmbedderSpec, TextEmbedder] = {}
    found: list[Scorer] = []
    for bundle, name, shares in zip(bundles, names, weights, strict=True):
        if bundle.tokenizer is None:
            raise ModelError(
                f"{bundle.name}: the model folder has no tokenizer.json; put the tokenizer it was "
                "trained with there (facebook/bart-base's for the published architecture)"
            )
        spec = bundle.embedder
        if spec not in embedders:
            embedders[spec] = TextEmbedder(spec.name, spec.prompt, bundle.model.device)
        found.append(Scorer(name, bundle.model.decoder, bundle.tokenizer, embedders[spec], *shares))
    return tuple(found)


def pick_device(name: str) -> torch.device:
    """``auto`` -> a GPU when there is one; anything else is checked to be there.

    Raises:
        ModelError: the device is not on this machine.
    """
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next((kind for kind, there in found.items() if there), "cpu"))
    if not found.get(name.split(":")[0], name == "cpu"):
        raise ModelError(f"device {name!r} is not on this machine; use auto or cpu")
    return torch.device(name)
