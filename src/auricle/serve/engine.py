"""Engine: recordings of many requests are captioned together, in one thread.

Recordings that arrive while a batch computes are the next batch, so batches grow with the load; an
idle engine waits a few milliseconds for company. A batch holds recordings of one model and one
decoding; whose recording has waited longest comes first.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auricle.errors import AuricleError
from auricle.hearing import WINDOW

if TYPE_CHECKING:
    from auricle.audio.load import Recording
    from auricle.outcomes import Captioned
    from auricle.pipeline import Captioner
    from auricle.settings import Decoding


@dataclass(frozen=True, eq=False)
class _Waiting:
    captioner: Captioner
    decoding: Decoding
    recording: Recording
    since: float = field(default_factory=time.monotonic)
    found: Future[Captioned[Any]] = field(default_factory=Future)

    def fits(self, other: _Waiting) -> bool:
        return self.captioner is other.captioner and self.decoding == other.decoding


class Engine:
    """A thread that captions; a context manager, whose end finishes what waits.

    ``watch``: called with the recordings and the seconds of each batch.
    """

    def __init__(
        self,
        batch_size: int,
        max_wait_s: float,
        watch: Callable[[int, float], None] = lambda number, seconds: None,
    ) -> None:
        self.batch_size, self.max_wait_s, self._watch = batch_size, max_wait_s, watch
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def __enter__(self) -> Engine:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def __len__(self) -> int:
        return len(self._waiting)

    def submit(
        self, captioner: Captioner, decoding: Decoding, recording: Recording
    ) -> Future[Captioned[Any]]:
        """The caption of ``recording``, which is no longer than the models hear at once; cancel the
        future to forget it."""
        one = _Waiting(captioner, decoding, recording)
        with self._changed:
            if self._closed:
                raise AuricleError("the engine has ended")
            self._waiting.append(one)
            self._changed.notify()
        return one.found

    def _run(self) -> None:
        while batch := self._next():
            begun = time.monotonic()
            try:
                self._caption(batch)
            except BaseException as error:  # it belongs to the requests, not to this thread
                for one in batch:
                    if not one.found.done():
                        one.found.set_exception(error)
            self._watch(len(batch), time.monotonic() - begun)

    def _caption(self, batch: list[_Waiting]) -> None:
        first = batch[0]
        captions = first.captioner.stream(
            (one.recording for one in batch), first.decoding, batch_size=self.batch_size
        )
        for one, captioned in zip(batch, captions, strict=True):
            one.found.set_result(captioned)

    def _next(self) -> list[_Waiting]:
        """The next batches' recordings, which share a window, so that similar lengths are encoded
        together; empty at the end."""
        most = WINDOW * self.batch_size if self.batch_size > 1 else 1
        with self._changed:
            while True:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if not self._waiting:
                    return []
                first = self._waiting[0]
                left_s = first.since + self.max_wait_s - time.monotonic()
                if left_s > 0 and len(self._waiting) < self.batch_size and not self._closed:
                    self._changed.wait(left_s)
                    continue
                taken: list[_Waiting] = []
                others: list[_Waiting] = []
                for one in self._waiting:
                    enough = len(taken) >= most or not one.fits(first)
                    (others if enough else taken).append(one)
                self._waiting = deque(others)
                if wanted := [one for one in taken if one.found.set_running_or_notify_cancel()]:
                    return wanted
