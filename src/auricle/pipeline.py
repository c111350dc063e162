"""Captioner: the path from a recording to its caption (hear, decode, rerank)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Literal, TypeVar, overload

import torch
from torch import Tensor

from auricle.audio.kinds import is_one
from auricle.audio.pipe import PcmFormat
from auricle.decoding.candidates import joint_steps
from auricle.decoding.confidence import NO_SOUND
from auricle.decoding.joint_space import sound_vectors, text_vectors
from auricle.decoding.streaming import stream_tokens
from auricle.describing import Describer
from auricle.errors import AudioError
from auricle.files import is_file
from auricle.hearing import (
    BATCH_SIZE,
    Heard,
    HeardBatch,
    LiveSource,
    Source,
    hear,
    hear_each,
    live_sound,
    stream_sound,
)
from auricle.loaded import LoadedModels
from auricle.outcomes import Captioned, OnError, check_on_error, settled
from auricle.records import Candidate, Caption, keep_sound
from auricle.settings import Decoding
from auricle.timeline.live import LIVE, LiveTimeline
from auricle.timeline.options import TimelineOptions, taken_from
from auricle.timeline.timeline import Timeline
from auricle.watch import Note, Progress, silent

S = TypeVar("S")


class Captioner(LoadedModels):
    """A single model or an ensemble that turns recordings into `Caption` records; its attributes
    are those of `LoadedModels`."""

    @overload
    def caption(
        self,
        audio: Source | Iterable[Source],
        *,
        on_error: Literal["raise", "skip"] = ...,
        **settings: Any,
    ) -> list[Caption]: ...

    @overload
    def caption(
        self, audio: Source | Iterable[Source], *, on_error: Literal["return"], **settings: Any
    ) -> list[Caption | AudioError]: ...

    def caption(
        self, audio: Source | Iterable[Source], *, on_error: OnError = "raise", **settings: Any
    ) -> list[Any]:
        """Caption one recording or several; a captioner can also be called: ``captioner("a.wav")``.

        A recording is a path, an open file, bytes, (array, sample_rate_hz), an array or tensor with
        ``sample_rate=``, or a recording of Hugging Face datasets: a dict of "array" and
        "sampling_rate" or of "bytes" and "path", or an AudioDecoder. Arrays are [samples] or
        [samples, channels], float in [-1, 1], or int8, int16, int32 or uint8.

        Args:
            audio: a recording, or any iterable of them.
            on_error: of a recording that cannot be captioned. ``raise``: its AudioError, and for an
                iterable, after the others are captioned, a `SeveralError` that has the captions.
                ``skip``: it is left out, with a warning. ``return``: its AudioError has its place.
            settings: those of `stream`, such as ``decode``, ``candidates`` and ``seed``.

        Returns:
            The captions in the order of the recordings, one for a single recording.
        """
        check_on_error(on_error)
        sources: Any = audio
        return settled([*self.stream(sources, **settings)], on_error, is_one(audio))

    __call__ = caption

    def stream(
        self,
        sources: Iterable[S],
        decoding: Decoding | None = None,
        *,
        audio: Callable[[S], Source] | None = None,
        batch_size: int = BATCH_SIZE,
        max_duration_s: float | None = None,
        sample_rate: int | None = None,
        sampling_rate: int | None = None,
        allow_urls: bool = False,
        progress: Progress = silent,
        **settings: Any,
    ) -> Iterator[Captioned[S]]:
        """Yield each of ``sources`` with its caption, in order, as soon as it is ready; a source
        that cannot be heard comes with its error, in its place.

        Args:
            sources: recordings (see `caption`) and clips of a manifest; or anything that ``audio``
                turns into one of these.
            decoding: built from ``settings`` by default, which are those of `decoding`.
            batch_size: recordings that are encoded together.
            max_duration_s: caption only the start of longer recordings. By default all is heard,
                in parts of the captioner's ``max_duration_s``: the caption is chosen among the
                candidates of every part, by the likelihood and the similarity of the whole.
            progress: gets the seconds of long recordings that were heard.
            sample_rate, sampling_rate: of arrays that come without it, in Hz; by default the
                model's, with a warning.
            allow_urls: download recordings that are given as http or https addresses.

        Raises:
            ModelError: the fluency detector of ``decoding`` cannot be had.
            TypeError: there is no such setting.
        """
        decoding = decoding or self.decoding(**settings)
        taken = self._sources(sample_rate, sampling_rate, allow_urls, audio)
        describer = self.describer(decoding)
        return hear_each(
            self.models,
            taken.each(sources),
            partial(self._captioned, describer=describer),
            audio=taken.sound,
            batch_size=batch_size,
            max_duration_s=max_duration_s,
            each_part=describer.of_parts,
            progress=progress,
        )

    def timeline(
        self,
        source: Source,
        options: TimelineOptions | None = None,
        decoding: Decoding | None = None,
        *,
        batch_size: int = BATCH_SIZE,
        sample_rate: int | None = None,
        sampling_rate: int | None = None,
        allow_urls: bool = False,
        progress: Progress = silent,
        **settings: Any,
    ) -> Timeline:
        """Iterate over the timed captions of one recording of any length, as they are found.

        Each `Caption` is of one event or scene, from ``start_s`` to ``end_s``; silence and a faint
        steady background have none. The memory does not grow with the length.

        Args:
            options, decoding: built from ``settings`` by default, whose names are those of
                `TimelineOptions` and `decoding`. A caption below ``min_confidence`` is left out.
            progress: gets the seconds that are heard, also where nothing is to be captioned.

        The other arguments are those of `stream`. Iterating raises AudioError: the recording cannot
        be read.

        Raises:
            ModelError, TypeError, ValueError: as `stream` and `decoding`.
        """
        options = options or taken_from(settings)
        decoding = decoding or self.decoding(**settings)
        taken = self._sources(sample_rate, sampling_rate, allow_urls)
        sound = stream_sound(taken.sound(source), self.sample_rate_hz)
        describer = self.describer(decoding)
        return Timeline(sound, describer, options, batch_size, sound.start_s, progress)

    def listen(
        self,
        source: LiveSource = None,
        options: TimelineOptions | None = None,
        decoding: Decoding | None = None,
        *,
        raw: PcmFormat | None = None,
        every_s: float | None = 10.0,
        duration_s: float | None = None,
        on_note: Note = silent,
        **settings: Any,
    ) -> LiveTimeline:
        """Iterate over the captions of what is heard live, each when its sound has ended.

        Each is a `LiveCaption`, a `Caption` with the time of day. Sound that comes in while a
        caption is made waits; a computer that is too slow skips the oldest.

        Args:
            source: the number or name of a microphone, None for the system's; an open binary file
                that another program writes a WAV or raw samples to; or an `Inlet`.
            options, decoding: built from ``settings`` by default, as in `timeline`; but ``pause_s``
                is 0.8 s, and nothing is judged by what comes after (``ahead_s``).
            raw: how samples without a header are stored.
            every_s: seconds after which a sound that goes on has a caption of what was heard so
                far, and again; None for none.
            duration_s: seconds of sound after which listening ends.
            on_note: gets a line for the user, such as that sound was skipped.

        Raises:
            AudioError, MissingDependencyError: there is no such microphone.
            ModelError, TypeError, ValueError: as `timeline`.
        """
        if options is None:
            settings = LIVE | settings
            options = taken_from(settings)
        decoding = decoding or self.decoding(**settings)
        sound = live_sound(source, self.sample_rate_hz, raw, duration_s, on_note)
        return LiveTimeline(sound, self.describer(decoding), options, every_s)

    @torch.inference_mode()
    def speak(
        self,
        source: Source,
        decoding: Decoding | None = None,
        *,
        on_note: Note = silent,
        max_duration_s: float | None = None,
        sample_rate: int | None = None,
        sampling_rate: int | None = None,
        allow_urls: bool = False,
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
        taken = self._sources(sample_rate, sampling_rate, allow_urls)
        sources = taken.each(source)
        heard = next(hear(self.models, sources, audio=taken.sound, max_duration_s=max_duration_s))
        if heard.error:
            raise heard.error
        if heard.note:
            on_note(heard.note)
        if heard.silent:
            yield NO_SOUND
            return
        steps = joint_steps(self.scorers, heard.memories, self.ensemble.config.pool)
        yield from stream_tokens(steps, self.scorers[0].tokenizer, decoding.options, decoding.seed)

    def embed_audio(
        self,
        audio: Source | Iterable[Source],
        *,
        batch_size: int = BATCH_SIZE,
        sample_rate: int | None = None,
        sampling_rate: int | None = None,
        allow_urls: bool = False,
    ) -> Tensor:
        """N recordings -> unit vectors [N, E], float32 on the CPU; the arguments are `stream`'s.

        The cosine of a recording and a caption, ``embed_audio(a) @ embed_text(c).T``, is the
        ``similarity`` of candidates. In an ensemble it is the members' weighted mean, and a vector
        joins theirs.

        Raises:
            AudioError: a recording cannot be read.
            ModelError: the model has no text embedder.
        """
        taken = self._sources(sample_rate, sampling_rate, allow_urls)
        rows = [self._no_vectors()]
        for heard in hear(self.models, taken.each(audio), audio=taken.sound, batch_size=batch_size):
            if heard.error:
                raise heard.error
            rows.append(sound_vectors(self.scorers, heard.memories))
        return torch.cat(rows)

    def embed_text(self, text: str | Iterable[str]) -> Tensor:
        """N texts -> unit vectors [N, E], float32 on the CPU, in the space of `embed_audio`.

        Raises:
            ModelError: the model has no text embedder, or it cannot be loaded.
        """
        texts = [text] if isinstance(text, str) or not isinstance(text, Iterable) else list(text)
        for one in texts:
            if not isinstance(one, str):
                raise TypeError(f"embed_text takes a text or several, not {type(one).__name__}")
        return text_vectors(self.scorers, texts) if texts else self._no_vectors()

    def _no_vectors(self) -> Tensor:
        pairs = zip(self.models, self.scorers, strict=True)
        return torch.empty(0, sum(m.config.embedding.dim for m, scorer in pairs if scorer.embedder))

    def _captioned(self, batch: HeardBatch[S], describer: Describer) -> list[Captioned[S]]:
        """Describe the clips of a batch that are not silent."""
        found: list[list[Candidate]] = []
        if batch.heard[0].parts and batch.audible:
            found = [describer.again(batch.memories, batch.heard[0].parts)]
        elif batch.audible:
            found = describer.candidates(batch.memories_of(batch.audible))
        candidates = dict(zip(batch.audible, found, strict=True))
        return [
            Captioned(heard, self._caption(heard, candidates.get(row, []), describer))
            for row, heard in enumerate(batch.heard)
        ]

    def _caption(
        self, heard: Heard[S], candidates: list[Candidate], describer: Describer
    ) -> Caption | None:
        """The record of one recording; silence has no candidates."""
        recording = heard.recording
        if recording is None:
            return None
        caption = describer.caption(recording.name, recording.start_s, heard.end_s, candidates)
        if not is_file(recording.name):
            keep_sound(caption, recording.waveform, recording.sample_rate_hz)
        return caption
