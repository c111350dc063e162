"""Hearing: sources are loaded ahead, batched by length and encoded once; their order stays.

sources ──► load (threads, ahead) ──► batches of similar length ──► encode ──► Heard, in order
                              a long recording ──► its parts (parts.py) ──┘
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import Any, BinaryIO, Generic, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor

from auricle.audio.kinds import AudioInput, is_array
from auricle.audio.live import Inlet, LiveSound
from auricle.audio.load import Recording, load_audio
from auricle.audio.lookahead import in_order
from auricle.audio.microphone import Microphone
from auricle.audio.pipe import PcmFormat, Pipe
from auricle.audio.stream import RecordingStream
from auricle.data.clip import Clip, load_recording
from auricle.errors import AudioError
from auricle.model.captioner import AudioCaptioner, AudioMemory
from auricle.model.together import encode_together
from auricle.parts import (
    SILENCE_PEAK,
    Describe,
    HeardParts,
    Parts,
    hear_parts,
    peak,
    trimmed,
)
from auricle.processors import usable
from auricle.watch import Note, Progress, silent

LiveSource: TypeAlias = "int | str | BinaryIO | Inlet | None"
Source: TypeAlias = "AudioInput | np.ndarray | Tensor | Clip | Recording"

BATCH_SIZE = 8
WINDOW = 4  # batches whose recordings are sorted by length together
LOADERS = max(1, usable() // 2)  # threads; the models need the other processors
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
        end_s: of what was heard, in seconds.
        silent: what was heard is digital silence.
        parts: of a recording that was heard in parts, what ``each_part`` gave for each.
        broken: why nothing after ``end_s`` can be used, although there is more; else empty.
    """

    source: S
    recording: Recording | None = None
    memories: tuple[AudioMemory, ...] = ()
    error: AudioError | None = None
    partial: bool = False
    end_s: float = 0.0
    silent: bool = False
    parts: tuple[Any, ...] = ()
    broken: str = ""

    @property
    def note(self) -> str | None:
        """A line for the user if only a part of the file was heard, else None."""
        recording = self.recording
        if recording is None:
            return None
        if self.broken:
            return heard_to(self.end_s, self.broken)
        if line := cut_short(recording.name, recording.duration_s, recording.missing_s):
            return line
        if not self.partial:
            return None
        heard_s = self.end_s - recording.start_s
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


def cut_short(name: str, heard_s: float, missing_s: float) -> str | None:
    """A line for the user if a recording holds clearly less than its header declares, else None."""
    declared_s = heard_s + missing_s
    if missing_s <= MISSING_S + MISSING_SHARE * declared_s:
        return None
    return (
        f"{name}: cut short: {heard_s:.1f} s of the declared {declared_s:.1f} s can be decoded;"
        " captioned these"
    )


def heard_to(end_s: float, why: str) -> str:
    """A line for the user: nothing after ``end_s`` was heard; ``why`` begins with the name."""
    return f"{why}; captioned the {end_s:.4g} s before"


def hear(
    models: Sequence[AudioCaptioner],
    sources: Iterable[S],
    *,
    audio: Callable[[S], Source] | None = None,
    batch_size: int = BATCH_SIZE,
    max_duration_s: float | None = None,
) -> Iterator[Heard[S]]:
    """Each of ``sources`` as ``models`` hear it, in order; failures keep their place. The arguments
    are those of `hear_each`."""
    return hear_each(
        models,
        sources,
        lambda batch: batch.heard,
        audio=audio,
        batch_size=batch_size,
        max_duration_s=max_duration_s,
    )


def hear_each(
    models: Sequence[AudioCaptioner],
    sources: Iterable[S],
    work: Callable[[HeardBatch[S]], Sequence[R]],
    *,
    audio: Callable[[S], Source] | None = None,
    batch_size: int = BATCH_SIZE,
    max_duration_s: float | None = None,
    each_part: Describe | None = None,
    progress: Progress = silent,
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
        max_duration_s: only so much of a recording is heard, from its start; by default, all of it.
            Clips of manifests and loaded recordings are heard as far as the models hear at once.
        each_part: of a recording that is longer than that, called with the memories of some parts;
            returns a result for each.
        progress: gets the seconds of such a recording that were heard.
    """
    rate_hz = models[0].encoder.sample_rate_hz
    limit_s = min(model.config.max_duration_s for model in models)
    load_one = partial(_load, audio, rate_hz, limit_s, max_duration_s)
    together = WINDOW * batch_size
    loaded = in_order(load_one, sources, LOADERS, together)  # the next ones, meanwhile
    while window := list(islice(loaded, together)):
        results: dict[int, R] = {}
        place = 0
        for rows in _batches(window, batch_size):
            parts = window[rows[0]].parts
            if parts and parts.are_several:
                source = window[rows[0]].source
                try:
                    found = hear_parts(models, parts, batch_size, each_part, progress)
                    batch = _of_parts(source, parts, found)
                except AudioError as error:  # the disk or the connection has failed meanwhile
                    batch = HeardBatch((Heard(source, error=error),))
            else:
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


def stream_sound(source: Source, sample_rate_hz: int) -> RecordingStream:
    """Any source as consecutive pieces at ``sample_rate_hz``."""
    if isinstance(source, Clip | Recording):
        recording = load(source, sample_rate_hz)
        given: Any = (recording.waveform, sample_rate_hz)
        return RecordingStream(given, sample_rate_hz, recording.name, recording.start_s)
    given = (source, sample_rate_hz) if is_array(source) else source
    return RecordingStream(given, sample_rate_hz)


def live_sound(
    source: LiveSource,
    sample_rate_hz: int,
    raw: PcmFormat | None = None,
    most_s: float | None = None,
    on_note: Note = silent,
) -> LiveSound:
    """The sound of a microphone (its number or name, None for the system's), of a program that
    writes to an open file (as ``raw`` says, unless it is a WAV), or of another inlet.

    Raises:
        AudioError, MissingDependencyError: as `Microphone`.
    """
    inlet: Any = source
    if source is None or isinstance(source, int | str):
        inlet = Microphone(source)
    elif hasattr(source, "read"):
        inlet = Pipe(inlet, raw)
    return LiveSound(inlet, sample_rate_hz, most_s, on_note)


@dataclass(frozen=True, eq=False)
class _Loaded(Generic[S]):
    """A source with its recording, which ``parts`` can continue, or with an error."""

    source: S
    recording: Recording | None = None
    parts: Parts | None = None
    error: AudioError | None = None


def _load(
    audio: Callable[[S], Source] | None,
    rate_hz: int,
    limit_s: float,
    most_s: float | None,
    source: S,
) -> _Loaded[S]:
    try:
        sound: Any = audio(source) if audio else source
        if isinstance(sound, Clip | Recording):
            return _Loaded(source, load(sound, rate_hz, min(limit_s, most_s or limit_s)))
        given: Any = (sound, rate_hz) if is_array(sound) else sound
        parts = Parts(given, rate_hz, limit_s, most_s)
        return _Loaded(source, parts.start, parts)
    except AudioError as error:
        return _Loaded(source, error=error)


def _batches(window: Sequence[_Loaded[S]], batch_size: int) -> list[list[int]]:
    """The window's places in batches: recordings of similar length, and each failure and each long
    recording alone. The batch with the first place comes first, and so on."""
    lengths = {
        place: len(loaded.recording.waveform)
        for place, loaded in enumerate(window)
        if loaded.recording and not (loaded.parts and loaded.parts.are_several)
    }
    order = sorted(lengths, key=lengths.__getitem__)
    batches = [order[first : first + batch_size] for first in range(0, len(order), batch_size)]
    batches += [[place] for place in range(len(window)) if place not in lengths]
    return sorted(batches, key=min)


@torch.inference_mode()
def _encode(models: Sequence[AudioCaptioner], loaded: Sequence[_Loaded[S]]) -> HeardBatch[S]:
    recordings = [one.recording for one in loaded if one.recording]
    if not recordings:
        return HeardBatch(tuple(Heard(one.source, error=one.error) for one in loaded))
    memories = encode_together(models, [trimmed(models, recording) for recording in recordings])
    return HeardBatch(
        tuple(
            Heard(
                one.source,
                recording,
                tuple(memory[row : row + 1] for memory in memories),
                partial=bool(one.parts) and recording.duration_s > recording.end_s + 0.05,
                end_s=recording.end_s,
                silent=peak(recording) <= SILENCE_PEAK,
            )
            for row, (one, recording) in enumerate(zip(loaded, recordings, strict=True))
        ),
        memories,
    )


def _of_parts(source: S, parts: Parts, found: HeardParts) -> HeardBatch[S]:
    heard = Heard(
        source,
        found.recording,
        found.memories,
        partial=found.recording.duration_s > found.end_s + 0.05,
        end_s=found.end_s,
        silent=found.is_silent,
        parts=found.results,
        broken=parts.broken,
    )
    return HeardBatch((heard,), found.memories)
