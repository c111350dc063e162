"""Service: the loaded models, and what requests ask of them."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self, TypeVar

from auricle.allocator import trim
from auricle.audio.isolated import Decoders
from auricle.audio.load import Recording, load_audio
from auricle.errors import AudioError
from auricle.parts import Parts
from auricle.processors import usable
from auricle.records import Caption
from auricle.serve.background import background
from auricle.serve.config import ServiceConfig
from auricle.serve.engine import Engine
from auricle.serve.metrics import Metrics
from auricle.serve.problems import RequestError
from auricle.serve.uploads import Upload, store
from auricle.watch import Progress

if TYPE_CHECKING:
    from auricle.audio.kinds import AudioInput
    from auricle.pipeline import Captioner
    from auricle.serve.sounds import Sounds
    from auricle.settings import Decoding
    from auricle.timeline.options import TimelineOptions

READERS = 2 * usable()  # threads that wait for decoders, and resample
TRIM_S = 10.0  # between the times when free memory goes back
LONG_BATCH = 2  # windows of a long recording that are encoded together: short ones wait for them

T = TypeVar("T")


@dataclass(frozen=True)
class Told:
    """The caption of an upload with a line for the user, or the reason why it has none."""

    caption: Caption | None = None
    note: str | None = None
    error: AudioError | None = None


@dataclass(frozen=True)
class Timed:
    """The timed captions of a recording, and a line for the user if not all could be heard."""

    captions: list[Caption]
    duration_s: float
    note: str | None = None


class Service:
    """The models that are served, by name, and the threads that work for requests; a context
    manager.

    Attributes:
        names: of the models; the first is the default.
        sounds: the index that is searched, if there is one.
        stopping: set when the service ends.
    """

    def __init__(
        self,
        captioners: Mapping[str, Captioner],
        config: ServiceConfig,
        sounds: Sounds | None = None,
    ) -> None:
        self.config, self.sounds, self._captioners = config, sounds, dict(captioners)
        self.names = tuple(self._captioners)
        self.stopping = threading.Event()
        self.metrics = Metrics()
        self._in_work = 0
        self._pace_s = 0.05  # of a recording, lately
        self._trimmed = time.monotonic()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="auricle-")))
            self.engine = stack.enter_context(
                Engine(self.config.batch_size, self.config.max_wait_s, self._batch_done)
            )
            self._readers = stack.enter_context(ThreadPoolExecutor(READERS, "reader"))
            self._background = stack.enter_context(background(self.config.background))
            # The last one, for it ends first: then the work of the others cannot go on.
            self._decoders = stack.enter_context(
                Decoders(
                    processes=READERS + 2,  # two long recordings are decoded beside
                    memory_bytes=self.config.decoder_memory_mb * 2**20,
                    total_s=self.config.decoder_s,
                    on_death=self.metrics.decoder_deaths.inc,
                )
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._stack.close()

    def entered(self, context: contextlib.AbstractContextManager[T]) -> T:
        """``context``, entered: it ends with the service, before the threads that it may need."""
        return self._stack.enter_context(context)

    def captioner(self, name: str | None = None) -> Captioner:
        """The model called ``name``, by default the first.

        Raises:
            RequestError: there is no such model here.
        """
        try:
            return self._captioners[name or self.names[0]]
        except KeyError as error:
            raise RequestError(
                404,
                "model_not_found",
                f"no such model here; this service has {', '.join(self.names)}",
                "model",
            ) from error

    async def store(self, file: BinaryIO, client_name: str | None) -> Upload:
        """A client's file as an upload, which the caller discards."""
        return await asyncio.to_thread(store, file, client_name, self.folder)

    def source(self, upload: Upload) -> AudioInput:
        """The recording of an upload, for a `Captioner`; a process of its own decodes it."""
        return self._decoders.source(upload.path, upload.name)

    async def captions(
        self,
        uploads: Sequence[Upload],
        captioner: Captioner,
        decoding: Decoding,
        max_duration_s: float | None = None,
    ) -> list[Told]:
        """The captions of the uploads, in their order.

        Raises:
            RequestError: too many recordings wait.
        """
        with self._place_for(len(uploads)):
            return await asyncio.gather(
                *(self._caption(one, captioner, decoding, max_duration_s) for one in uploads)
            )

    async def timeline(
        self, upload: Upload, captioner: Captioner, options: TimelineOptions, decoding: Decoding
    ) -> Timed:
        """The timed captions of an upload.

        Raises:
            AudioError: it cannot be read.
            RequestError: too many recordings wait.
        """

        def work(gone: threading.Event) -> Timed:
            timeline = captioner.timeline(
                self.source(upload),
                options,
                decoding,
                batch_size=LONG_BATCH,
                progress=self._watched(upload.name, gone),
            )
            with contextlib.closing(timeline):
                captions = list(timeline)
            return Timed(captions, timeline.sound.duration_s, timeline.note)

        with self._place_for(1):
            return await self.in_background(work)

    async def hear(
        self, path: Path, name: str, rate_hz: int, start_s: float, end_s: float
    ) -> Recording:
        """A section of the file ``path``, which a process of its own decodes.

        Raises:
            AudioError: it cannot be read.
            RequestError: too many recordings wait.
        """
        source = self._decoders.source(path, name)
        with self._place_for(1):
            return await asyncio.get_running_loop().run_in_executor(
                self._readers, load_audio, source, rate_hz, start_s, end_s
            )

    async def in_background(self, work: Callable[[threading.Event], T]) -> T:
        """What ``work`` returns, in a thread that gives way to short requests; its event is set
        when the result is not wanted any more."""
        gone = threading.Event()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._background, work, gone)
        finally:
            gone.set()

    async def _caption(
        self,
        upload: Upload,
        captioner: Captioner,
        decoding: Decoding,
        max_duration_s: float | None,
    ) -> Told:
        try:
            start = await asyncio.get_running_loop().run_in_executor(
                self._readers, self._start, upload, captioner, max_duration_s
            )
            if start is None:
                found = await self._caption_long(upload, captioner, decoding, max_duration_s)
            else:
                waiting = self.engine.submit(captioner, decoding, start)
                found = await asyncio.wrap_future(waiting)
                is_partial = start.duration_s > start.end_s + 0.05
                found = replace(found, heard=replace(found.heard, partial=is_partial))
        except AudioError as error:
            return Told(error=error)
        return Told(found.caption, found.heard.note, found.error)

    def _start(
        self, upload: Upload, captioner: Captioner, max_duration_s: float | None
    ) -> Recording | None:
        """The whole recording, or None if it is longer than the model hears at once."""
        parts = Parts(
            self.source(upload),
            captioner.sample_rate_hz,
            captioner.max_duration_s,
            max_duration_s,
        )
        if not parts.are_several:
            return parts.start
        parts.close()
        self._check_duration(parts.end_s, upload.name)
        return None

    async def _caption_long(
        self,
        upload: Upload,
        captioner: Captioner,
        decoding: Decoding,
        max_duration_s: float | None,
    ) -> Any:
        def work(gone: threading.Event) -> Any:
            captions = captioner.stream(
                [self.source(upload)],
                decoding,
                batch_size=LONG_BATCH,
                max_duration_s=max_duration_s,
                progress=self._watched(upload.name, gone),
            )
            return next(captions)

        return await self.in_background(work)

    def _watched(self, name: str, gone: threading.Event) -> Progress:
        """What ends long work that is too long, or not wanted any more."""

        def progress(stage: str, done: int, total: int) -> None:
            self._check_duration(done, name)
            if gone.is_set():
                raise RequestError(499, "client_gone", "the client hung up")

        return progress

    def _check_duration(self, duration_s: float, name: str) -> None:
        if duration_s > self.config.max_duration_s:
            raise RequestError(
                413,
                "recording_too_long",
                f"{name}: longer than {self.config.max_duration_s:g} s, the most for an immediate"
                " answer; send it to /v1/jobs, or send a part of it",
                "file",
            )

    @contextlib.contextmanager
    def _place_for(self, recordings: int) -> Iterator[None]:
        """Within, the recordings count as being in work."""
        if self._in_work + recordings > self.config.max_queue:
            raise self.too_busy()
        self._in_work += recordings
        self.metrics.in_work.set(self._in_work)
        try:
            yield
        finally:
            self._in_work -= recordings
            self.metrics.in_work.set(self._in_work)

    def too_busy(self) -> RequestError:
        return RequestError(
            429,
            "too_busy",
            f"{self._in_work} recordings wait or are in work; come again later",
            retry_after_s=min(60.0, self._in_work * self._pace_s),
        )

    def _batch_done(self, recordings: int, seconds: float) -> None:
        self._pace_s += 0.1 * (seconds / recordings - self._pace_s)
        self.metrics.batch.observe(recordings)
        if time.monotonic() > self._trimmed + TRIM_S:
            trim()
            self._trimmed = time.monotonic()


async def unless_gone(receive: Callable[[], Any], work: Awaitable[T]) -> T:
    """What ``work`` returns; it is cancelled when the client hangs up.

    ``receive``: of the request, whose body has been read.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_hangs_up(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise RequestError(499, "client_gone", "the client hung up")
        return task.result()
    finally:
        for one in (task, gone):
            one.cancel()


async def _hangs_up(receive: Callable[[], Any]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
