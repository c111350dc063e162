"""The one path a recording takes: load, encode once, decode, rerank, Caption."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from auricle.audio import AudioInput, Recording, load_audio, source_name
from auricle.decoding.candidates import find_candidates
from auricle.decoding.ensemble import encode_together
from auricle.decoding.options import DecodeOptions, with_method
from auricle.decoding.rerank import choose
from auricle.decoding.voice import Voice
from auricle.errors import AudioError, ModelError
from auricle.hub.ensemble import Ensemble, load_model, save_ensemble
from auricle.hub.folder import Bundle, EmbedderSpec, save_bundle
from auricle.records import Candidate, Caption
from auricle.text.embedder import TextEmbedder

SILENCE = "no sound can be heard"
SILENCE_PEAK = 10 ** (-80 / 20)  # -80 dBFS: under the last bits of a 16-bit recording

OnError = Callable[[AudioInput, AudioError], None]
OnNote = Callable[[AudioInput, str], None]


class Captioner:
    """A model or an ensemble with its tokenizers and text embedders, from waveforms to `Caption`
    records.

    Attributes:
        models, voices: the members of an ensemble, or the one model there is; ``model`` and
            ``tokenizer`` are the first one's.
        sample_rate_hz: of the waveforms that the models hear.
        max_duration_s: of longer recordings the start is heard.
    """

    def __init__(self, bundle: Bundle | Ensemble) -> None:
        self.bundle = bundle
        members = bundle.bundles if isinstance(bundle, Ensemble) else (bundle,)
        self.models = tuple(member.model for member in members)
        self.model = self.models[0]
        self.sample_rate_hz = self.models[0].encoder.sample_rate_hz
        self.max_duration_s = min(model.config.max_duration_s for model in self.models)
        self.voices = voices(bundle)
        self.tokenizer = self.voices[0].tokenizer

    @classmethod
    def from_pretrained(cls, name_or_folder: str | Path, device: str = "auto") -> Captioner:
        """Load ``tiny``, ``clotho``, a model folder, or owner/name on the Hugging Face Hub.

        Args:
            device: ``auto`` takes a GPU when there is one; ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

        Raises:
            ModelError: no such model or device; what to do about it.
        """
        return cls(load_model(name_or_folder, pick_device(device)))

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
            decode: ``nucleus`` | ``beam`` | ``diverse-beam`` | ``greedy``; None for the model's own.
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
        iterator = iter(sources)
        while chunk := list(islice(iterator, batch_size)):
            loaded = (self._load(source, on_error, on_note) for source in chunk)
            recordings = [recording for recording in loaded if recording is not None]
            if recordings:
                yield from self._caption_batch(recordings, options, seed)

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
            recording = load_audio(given, rate, limit)
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
    def _caption_batch(
        self, recordings: list[Recording], options: DecodeOptions, seed: int
    ) -> list[Caption]:
        """Captions of recordings that fit in memory together."""
        audible = [np.abs(r.waveform).max(initial=0.0) > SILENCE_PEAK for r in recordings]
        heard = [r for r, loud in zip(recordings, audible, strict=True) if loud]
        scored = iter(self._candidates(heard, options, seed) if heard else [])
        captions = []
        for recording, loud in zip(recordings, audible, strict=True):
            candidates = next(scored) if loud else []
            best = choose(candidates) if candidates else None
            captions.append(
                Caption(
                    audio=recording.name,
                    start_s=0.0,
                    end_s=round(len(recording.waveform) / recording.sample_rate_hz, 3),
                    caption=best.text if best else SILENCE,
                    score=best.score if best else None,
                    candidates=tuple(candidates),
                    model=self.bundle.name,
                    decode=options.method,
                    seed=seed,
                )
            )
        return captions

    def _candidates(
        self, recordings: list[Recording], options: DecodeOptions, seed: int
    ) -> list[list[Candidate]]:
        """Each recording is encoded once, by every encoder there is."""
        memories = encode_together(self.models, [r.waveform for r in recordings])
        return find_candidates(self.voices, memories, options, seed)


def voices(model: Bundle | Ensemble) -> tuple[Voice, ...]:
    """A model's one voice, an ensemble's several; a text embedder that some share is one object.

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
    found: list[Voice] = []
    for bundle, name, shares in zip(bundles, names, weights, strict=True):
        if bundle.tokenizer is None:
            raise ModelError(
                f"{bundle.name}: the model folder has no tokenizer.json; put the tokenizer it was "
                "trained with there (facebook/bart-base's for the published architecture)"
            )
        spec = bundle.embedder
        if spec not in embedders:
            embedders[spec] = TextEmbedder(spec.name, spec.prompt, bundle.model.device)
        found.append(Voice(name, bundle.model.decoder, bundle.tokenizer, embedders[spec], *shares))
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
