"""Hearing: sources are loaded ahead, batched by length and encoded once; their order stays.

sources ──► load (threads, ahead) ──► batches of similar length ──► encode ──► Heard, in order
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor

from auricle.audio.kinds import AudioInput, is_array
from auricle.audio.level import without_silent_ends
from auricle.audio.load import Recording, load_audio
from auricle.audio.lookahead import in_order
from auricle.audio.stream import RecordingStream, SoundStream
from auricle.data.clip import Clip, load_recording
from auricle.errors import AudioError
from auricle.model.captioner import AudioCaptioner, AudioMemory, padded
from auricle.processors import usable

Source: TypeAlias = "AudioInput | np.ndarray | Tensor | Clip | Recording"

BATCH_SIZE = 8
WINDOW = 4  # batches whose recordings are sorted by length together
LOADERS = max(1, usable() // 2)  # threads; the models need the other processors
SILENCE_PEAK = 10 ** (-80 / 20)  # -80 dBFS: about the last bits of a 16-bit recording
# Less is not missed: containers round, and count the padding of codecs.
MISSING_S, MISSING_SHARE = 0.25, 0.01

S = TypeVar("S")
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Heard(Generic[S]):
    """A source with its audio memories, or with the error that prevented them.

    Attributes:
        source: as it was given.
        recording: None if there is an ``error``.
        memories: of this clip, one per model, [1, T, D] with its length.
        partial: only the start of a longer recording was heard.
    """

    source: S
    recording: Recording | None = None
    memories: tuple[AudioMemory, ...] = ()
    error: AudioError | None = None
    partial: bool = False

    @property
    def silent(self) -> bool:
        """Whether the recording is digital silence."""
        if self.recording is None:
            return False
        return bool(np.abs(self.recording.waveform).max(initial=0.0) <= SILENCE_PEAK)

    @property
    def note(self) -> str | None:
        """A line for the user if only a part of the file was heard, else None."""
        recording = self.recording
        if recording is None:
            return None
        declared_s = recording.duration_s + recording.missing_s
        if recording.missing_s > MISSING_S + MISSING_SHARE * declared_s:
            return (
                f"{recording.name}: cut short: {recording.duration_s:.1f} s of the declared "
                f"{declared_s:.1f} s can be decoded; captioned these"
            )
        if not self.partial:
            return None
        heard_s = recording.end_s - recording.start_s
        return (
            f"{recording.name}: {recording.duration_s:.4g} s long; "
            f"captioned its first {heard_s:.4g} s"
        )


@dataclass(frozen=True, eq=False)
class HeardBatch(Generic[S]):
    """B sources that were heard together; ``memories``: of all of them, one per model, [B, T, D].
    A source that cannot be heard is a batch of its own, without memories."""

    heard: tuple[Heard[S], ...]
    memories: tuple[AudioMemory, ...] = ()

    @cached_property
    def audible(self) -> list[int]:
        """Rows of the clips that are not silent."""
        return [row for row, heard in enumerate(self.heard) if heard.recording and not heard.silent]

    def memories_of(self, rows: list[int]) -> tuple[AudioMemory, ...]:
        """The memories of some clips, one per model."""
        if len(rows) == len(self.heard):
            return self.memories
        return tuple(memory[rows] for memory in self.memories)


def hear(
    models: Sequence[AudioCaptioner],
    sources: Iterable[S],
    *,
    audio: Callable[[S], Source] | None = None,
    batch_size: int = BATCH_SIZE,
) -> Iterator[Heard[S]]:
    """Each of ``sources`` as ``models`` hear it, in order; failures keep their place. The arguments
    are those of `hear_each`."""
    return hear_each(models, sources, lambda batch: batch.heard, audio=audio, batch_size=batch_size)


def hear_each(
    models: Sequence[AudioCaptioner],
    sources: Iterable[S],
    work: Callable[[HeardBatch[S]], Sequence[R]],
    *,
    audio: Callable[[S], Source] | None = None,
    batch_size: int = BATCH_SIZE,
) -> Iterator[R]:
    """The results of ``work`` on batches of ``sources``, in the order of the sources.

    Args:
        models: their sample rates are equal; an encoder that they share runs once.
        sources: recordings (`AudioInput`); arrays and tensors [L] at the models' sample rate; clips
            of manifests with their sections and mixes; recordings that are already loaded; or
            anything that ``audio`` turns into one of these. ``audio`` may raise AudioError.
        work: returns one result for each source of the batch.
        batch_size: recordings that are encoded together; it does not change the results, and
            neither does the order of the sources.
    """
    rate_hz = models[0].encoder.sample_rate_hz
    limit_s = min(model.config.max_duration_s for model in models)
    loaded = in_order(partial(_load, audio, rate_hz, limit_s), sources, LOADERS)
    while window := list(islice(loaded, WINDOW * batch_size)):
        results: dict[int, R] = {}
        place = 0
        for rows in _batches(window, batch_size):
            batch = _encode(models, [window[row] for row in rows])
            results.update(zip(rows, work(batch), strict=True))
            while place in results:
                yield results.pop(place)
                place += 1


def load(source: Source, sample_rate_hz: int, max_duration_s: float | None = None) -> Recording:
    """Any source as a recording at ``sample_rate_hz``, at most its first ``max_duration_s``.

    Raises AudioError: the source cannot be read.
    """
    if isinstance(source, Recording):
        return source
    if isinstance(source, Clip):
        return load_recording(source, sample_rate_hz, max_duration_s)
    given: Any = (source, sample_rate_hz) if is_array(source) else source
    return load_audio(given, sample_rate_hz, end_s=max_duration_s)


def stream_sound(source: Source, sample_rate_hz: int) -> SoundStream:
    """Any source as consecutive pieces at ``sample_rate_hz``."""
    if isinstance(source, Clip | Recording):
        recording = load(source, sample_rate_hz)
        return RecordingStream((recording.waveform, sample_rate_hz), sample_rate_hz, recording.name)
    given: Any = (source, sample_rate_hz) if is_array(source) else source
    return RecordingStream(given, sample_rate_hz)


def encode_together(
    models: Sequence[AudioCaptioner], waveforms: Sequence[Tensor | np.ndarray]
) -> tuple[AudioMemory, ...]:
    """`AudioCaptioner.encode` of the same clips per model; an encoder that they share runs once."""
    features = features_together(models, waveforms)
    return tuple(
        model.encode_features(*found) for model, found in zip(models, features, strict=True)
    )


def features_together(
    models: Sequence[AudioCaptioner], waveforms: Sequence[Tensor | np.ndarray]
) -> list[tuple[Tensor, Tensor]]:
    """The features of the same clips per model, and their lengths (see `Encoder.forward`); an
    encoder that they share runs once."""
    batch, lengths = padded(waveforms, models[0].device)
    features: dict[int, tuple[Tensor, Tensor]] = {}
    for model in models:
        key = id(model.encoder)
        if key not in features:
            features[key] = model.features(batch, lengths)
    return [features[id(model.encoder)] for model in models]


def _load(audio: Callable[[S], Source] | None, rate_hz: int, limit_s: float, source: S) -> Heard[S]:
    try:
        sound: Any = audio(source) if audio else source
        recording = load(sound, rate_hz, limit_s)
    except AudioError as error:
        return Heard(source, error=error)
    whole = not isinstance(sound, Clip | Recording)
    return Heard(source, recording, partial=whole and recording.duration_s > recording.end_s + 0.05)


def _batches(window: Sequence[Heard[S]], batch_size: int) -> list[list[int]]:
    """The window's places in batches: recordings of similar length, and each failure alone. The
    batch with the first place comes first, and so on."""
    lengths = {
        place: len(heard.recording.waveform)
        for place, heard in enumerate(window)
        if heard.recording
    }
    order = sorted(lengths, key=lengths.__getitem__)
    batches = [order[first : first + batch_size] for first in range(0, len(order), batch_size)]
    batches += [[place] for place in range(len(window)) if place not in lengths]
    return sorted(batches, key=min)


@torch.inference_mode()
def _encode(models: Sequence[AudioCaptioner], loaded: Sequence[Heard[S]]) -> HeardBatch[S]:
    recordings = [heard.recording for heard in loaded if heard.recording]
    if not recordings:
        return HeardBatch(tuple(loaded))
    waveforms = [recording.waveform for recording in recordings]
    if not any(model.config.published_behaviour for model in models):
        rate_hz = models[0].encoder.sample_rate_hz
        waveforms = [without_silent_ends(waveform, rate_hz) for waveform in waveforms]
    memories = encode_together(models, waveforms)
    found = tuple(
        Heard(
            heard.source,
            heard.recording,
            tuple(memory[row : row + 1] for memory in memories),
            partial=heard.partial,
        )
        for row, heard in enumerate(loaded)
    )
    return HeardBatch(found, memories)
