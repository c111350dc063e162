"""Captioner: the path from a recording to its caption (hear, decode, rerank)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from auricle.audio.load import Recording
from auricle.data.clip import Clip
from auricle.decoding.candidates import find_candidates, joint_steps
from auricle.decoding.confidence import NO_SOUND, confidence, declined
from auricle.decoding.options import DecodeOptions, with_method
from auricle.decoding.rerank import choose
from auricle.decoding.streaming import stream_tokens
from auricle.errors import AudioError, ModelError
from auricle.hearing import BATCH_SIZE, Heard, HeardBatch, Source, hear, hear_each
from auricle.hub.ensemble import Ensemble, load_model, save_ensemble
from auricle.model.precision import convert, parameter_count, resolve_precision
from auricle.records import Candidate, Caption
from auricle.text.fluency import fluency_filter
from auricle.watch import Note, silent

S = TypeVar("S")


@dataclass(frozen=True)
class Decoding:
    """Decoding settings of one call.

    Attributes:
        options: settings of the search and of reranking.
        seed: fixes the samples of every clip, whatever the batch.
        every_term: compute also the reranking terms that have no weight.
        min_confidence: a caption with less confidence becomes `NO_SOUND`.
    """

    options: DecodeOptions
    seed: int = 0
    every_term: bool = False
    min_confidence: float = 0.0


@dataclass(frozen=True, eq=False)
class Captioned(Generic[S]):
    """A source with its caption; ``caption`` is None if an ``error`` prevented it."""

    heard: Heard[S]
    caption: Caption | None

    @property
    def source(self) -> S:
        return self.heard.source

    @property
    def error(self) -> AudioError | None:
        return self.heard.error


class Captioner:
    """A single model or an ensemble that turns recordings into `Caption` records.

    Attributes:
        ensemble: the models; ``models`` and ``scorers`` are its members'.
        sample_rate_hz: the sample rate that the models hear.
        max_duration_s: only this much is heard, from the start of a recording.
        precision, precision_reason: the number format of the models, and the reason for it.
    """

    precision: str = "float32"
    precision_reason: str = "as loaded"

    def __init__(self, ensemble: Ensemble) -> None:
        self.ensemble = ensemble
        self.models, self.scorers = ensemble.models, ensemble.scorers()
        self.sample_rate_hz = self.models[0].encoder.sample_rate_hz
        self.max_duration_s = min(model.config.max_duration_s for model in self.models)

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

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json, model.safetensors, tokenizer.json and the model card; for an ensemble,
        those of every member, and its own config.json and card."""
        save_ensemble(folder, self.ensemble)

    def push_to_hub(self, repo_id: str, private: bool = False, token: str | None = None) -> str:
        """Upload the model folder to the Hugging Face Hub and return its address."""
        from huggingface_hub import HfApi

        api = HfApi(token=token)
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            api.create_repo(repo_id, private=private, exist_ok=True)
            return str(api.upload_folder(repo_id=repo_id, folder_path=folder))

    def caption(
        self,
        audio: Source | Iterable[Source],
        *,
        on_error: Callable[[Source, AudioError], None] | None = None,
        **settings: Any,
    ) -> list[Caption]:
        """Caption one recording or several; an array without a rate has the model's sample rate.

        ``settings`` are those of `stream`. A recording that cannot be captioned goes to
        ``on_error`` with its error, and the others continue; without ``on_error`` it is raised.
        """
        single = isinstance(audio, str | os.PathLike | bytes | tuple | Clip | Recording)
        single = single or hasattr(audio, "read") or hasattr(audio, "shape")
        sources: Iterable[Source] = [audio] if single else audio  # type: ignore[assignment,list-item]
        captions = []
        for found in self.stream(sources, **settings):
            if found.caption:
                captions.append(found.caption)
            elif found.error and on_error:
                on_error(found.source, found.error)
            elif found.error:
                raise found.error
        return captions

    def stream(
        self,
        sources: Iterable[S],
        decoding: Decoding | None = None,
        *,
        audio: Callable[[S], Source] | None = None,
        batch_size: int = BATCH_SIZE,
        **settings: Any,
    ) -> Iterator[Captioned[S]]:
        """Yield each of ``sources`` with its caption, in order, as soon as it is ready; a source
        that cannot be heard comes with its error, in its place.

        Args:
            sources: recordings (`AudioInput`), arrays and tensors [L] at the model's sample rate,
                clips of a manifest; or anything that ``audio`` turns into one of these.
            decoding: built from ``settings`` by default, which are those of `decoding`.
            batch_size: recordings that are encoded together.

        Raises:
            ModelError: the fluency detector of ``decoding`` cannot be had.
        """
        decoding = decoding or self.decoding(**settings)
        fluency_filter(decoding.options.fluency, str(self.models[0].device))  # before any is heard
        caption = partial(self._captioned, decoding=decoding)
        return hear_each(self.models, sources, caption, audio=audio, batch_size=batch_size)

    @torch.inference_mode()
    def speak(
        self,
        source: Source,
        decoding: Decoding | None = None,
        *,
        on_note: Note = silent,
        **settings: Any,
    ) -> Iterator[str]:
        """Yield the caption of one recording piece by piece, as its tokens are chosen: the greedy
        caption, or one nucleus sample. Nothing is reranked.

        The other arguments are those of `stream`; the decoding is greedy by default. ``on_note``
        gets a line for the user, such as that only the start was heard.

        Raises:
            AudioError: the recording cannot be read.
            ModelError: the members of the ensemble search one after the other.
            ValueError: a beam search, which chooses at its end.
        """
        decoding = decoding or self.decoding(**{"decode": "greedy", **settings})
        heard = next(hear(self.models, [source]))
        if heard.error:
            raise heard.error
        if heard.note:
            on_note(heard.note)
        if heard.silent:
            yield NO_SOUND
            return
        steps = joint_steps(self.scorers, heard.memories, self.ensemble.config.pool)
        yield from stream_tokens(steps, self.scorers[0].tokenizer, decoding.options, decoding.seed)

    def decoding(
        self,
        decode: str | None = None,
        *,
        seed: int = 0,
        every_term: bool = False,
        min_confidence: float = 0.0,
        **changes: Any,
    ) -> Decoding:
        """The model's decoding settings with these changes; None keeps a setting.

        Args:
            decode: ``nucleus``, ``beam``, ``diverse-beam`` or ``greedy``.
            changes: other settings, by their names in `DecodeOptions`.

        Raises:
            TypeError: there is no such setting.
            ValueError: a setting is out of range.
            ModelError: ``min_confidence`` needs a calibration that the model does not have.
        """
        own = self.ensemble.decoding
        options = with_method(own, decode or own.method)
        options = replace(options, **{k: v for k, v in changes.items() if v is not None})
        if min_confidence and not self._calibrated(options):
            raise ModelError(
                f"{self.ensemble.name}: min_confidence={min_confidence}: no calibration for "
                f"{options.method} decoding; `auricle tune confidence` fits one"
            )
        return Decoding(options, seed, every_term, min_confidence)

    @torch.inference_mode()
    def _captioned(self, batch: HeardBatch[S], decoding: Decoding) -> list[Captioned[S]]:
        """Decode the clips of a batch that are not silent."""
        found: list[list[Candidate]] = []
        if batch.audible:
            found = find_candidates(
                self.scorers,
                batch.memories_of(batch.audible),
                decoding.options,
                decoding.seed,
                self.ensemble.config.pool,
                decoding.every_term or self._calibrated(decoding.options),
            )
        candidates = dict(zip(batch.audible, found, strict=True))
        return [
            Captioned(heard, self._caption(heard, candidates.get(row, []), decoding))
            for row, heard in enumerate(batch.heard)
        ]

    def _calibrated(self, options: DecodeOptions) -> bool:
        """Whether captions decoded with ``options`` have a calibrated confidence."""
        calibration = self.ensemble.calibration
        return calibration is not None and calibration.method == options.method

    def _caption(
        self, heard: Heard[S], candidates: list[Candidate], decoding: Decoding
    ) -> Caption | None:
        """The record of one recording; silence has no candidates."""
        recording = heard.recording
        if recording is None:
            return None
        best = choose(candidates) if candidates else None
        text = best.text if best else NO_SOUND
        sure = None
        if best and self._calibrated(decoding.options):
            assert self.ensemble.calibration is not None
            sure = confidence(self.ensemble.calibration, best)
            if sure < decoding.min_confidence:
                text = NO_SOUND
                unsure = declined(best, sure, decoding.min_confidence)
                candidates = [unsure if c is best else c for c in candidates]
        return Caption(
            audio=recording.name,
            start_s=round(recording.start_s, 3),
            end_s=round(recording.end_s, 3),
            caption=text,
            score=best.score if best else None,
            candidates=tuple(candidates),
            model=self.ensemble.name,
            decode=decoding.options.method,
            seed=decoding.seed,
            confidence=sure,
        )


def pick_device(name: str) -> torch.device:
    """``auto`` -> a GPU if there is one; any other name is checked.

    Raises:
        ModelError: the device is not on this machine.
    """
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next((kind for kind, there in found.items() if there), "cpu"))
    if not found.get(name.split(":")[0], name == "cpu"):
        raise ModelError(f"device {name!r} is not on this machine; use auto or cpu")
    return torch.device(name)
