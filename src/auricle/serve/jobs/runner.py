"""The runner of jobs: threads that do the queue's work, and the streams of those who watch."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, Self, TypeVar, get_args

from starlette.concurrency import run_in_threadpool

from auricle.errors import AudioError
from auricle.serve.background import low_priority
from auricle.serve.jobs.order import Order
from auricle.serve.jobs.rows import Event, Job, State
from auricle.serve.jobs.store import NotRunningError, Store
from auricle.serve.jobs.work import Work
from auricle.serve.problems import RequestError, of_recording
from auricle.serve.service import Service
from auricle.serve.uploads import Upload

LOG = logging.getLogger("auricle.serve")
EVERY_S = 0.25  # progress is told
EXPIRY_S = 60.0  # between looks for expired results
AGAIN_S = 5.0  # after the disk failed
HEARTBEAT_S = 15.0
PATIENCE_S = 10.0  # at the end, for a step of the work; its job has been handed back by then

T = TypeVar("T")


class Jobs:
    """The jobs of ``service``, whose ``stopping`` hands back what is running; a context manager.

    Raises:
        DataError, OutputError: as `Store`.
    """

    def __init__(self, service: Service, clock: Callable[[], float] = time.time) -> None:
        self.service, config = service, service.config
        self.store = Store(
            config.data, config.keep_s, config.max_jobs, config.max_jobs_mb * 2**20, clock
        )
        self._bells = Bells()
        self._queued = threading.Semaphore(self.store.counts().get("queued", 0))
        workers = [self._work] * config.job_threads
        self._threads = [
            threading.Thread(target=one, name="jobs", daemon=True) for one in [self._keep, *workers]
        ]

    def __enter__(self) -> Self:
        for state in get_args(State):
            self.service.metrics.jobs.labels(state).set_function(partial(self._number, state))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.service.stopping.set()
        end_s = time.monotonic() + PATIENCE_S
        for thread in self._threads:
            thread.join(max(0.0, end_s - time.monotonic()))  # a late one finds the store closed
        self.store.close()

    def _number(self, state: State) -> int:
        return self.store.counts().get(state, 0)

    def add(self, order: Order, upload: Upload) -> Job:
        """A new job; see `Store.add`."""
        job = self.store.add(order.model_dump_json(), upload)
        self._queued.release()
        return job

    def cancel(self, job_id: str) -> Job | None:
        job = self.store.cancel(job_id)
        self._bells.ring(job_id)
        return job

    def erase(self, job_id: str) -> bool:
        erased = self.store.erase(job_id)
        self._bells.ring(job_id)
        return erased

    async def events(self, job: Job, after: int) -> AsyncIterator[Event | None]:
        """The events of a job after number ``after``, as they come, to its end or the service's;
        None from time to time, when nothing happens."""
        with self._bells.hung(job.id) as bell:
            while not self.service.stopping.is_set():
                bell.clear()
                found, events = await run_in_threadpool(self._look, job, after)
                for event in events:
                    yield event
                    after = event.number
                if events:  # there may be more
                    continue
                if found is None or found.is_finished:
                    return
                try:
                    await asyncio.wait_for(bell.wait(), HEARTBEAT_S)
                except TimeoutError:
                    yield None

    def _look(self, job: Job, after: int) -> tuple[Job | None, list[Event]]:
        """In this order: the events of a job that was found finished are all there."""
        return self.store.find(job.id), self.store.events(job, after)

    def _work(self) -> None:
        """Do jobs until the service stops."""
        low_priority()
        while job := self._next():
            try:
                state, error = self._done(job)
                self._patiently(partial(self.store.finish, job, state, error))
            except NotRunningError:  # cancelled, or handed back
                continue
            self._bells.ring(job.id)

    def _next(self) -> Job | None:
        """The next job, which is waited for; None when the service stops."""
        while True:
            self._queued.acquire()
            if self.service.stopping.is_set():
                return None
            if job := self._patiently(self.store.claim):  # else it was cancelled
                self._bells.ring(job.id)
                return job

    def _done(self, job: Job) -> tuple[State, dict[str, str] | None]:
        """How a job ends.

        Raises NotRunningError: it does not.
        """
        try:
            order = Order.model_validate_json(job.request)
            upload = Upload(self.store.upload_path(job.id), job.audio)
            for found in Work(self.service, order, upload, self._progress_of(job)).found():
                self._check_stopping()
                if found.kind == "duration":
                    self._patiently(partial(self.store.measured, job, found.data))
                else:
                    self._write(job, found.kind, found.data)
        except NotRunningError:
            raise
        except AudioError as error:
            return "failed", of_recording(error)
        except RequestError as error:  # such as a model that is not served any more
            return "failed", {"code": error.code, "message": str(error)}
        except Exception as error:
            self._check_stopping()  # what ends then may fail in any way
            where = "".join(traceback.format_tb(error.__traceback__))  # not what: it may hold names
            LOG.error("job %d failed: %s\n%s", job.number, type(error).__name__, where)
            message = "the service failed while it worked on this recording; its log says why"
            return "failed", {"code": "internal_error", "message": message}
        return "done", None

    def _progress_of(self, job: Job) -> Callable[[str, int, int], None]:
        """What tells the clients of ``job``, not too often, how far it is."""
        last, told_s = "", 0.0

        def progress(stage: str, done: int, total: int) -> None:
            nonlocal last, told_s
            self._check_stopping()
            now_s = time.monotonic()
            if stage == last and now_s < told_s + EVERY_S:
                return
            last, told_s = stage, now_s
            self._write(job, "progress", {"stage": stage, "done": done, "total": total})

        return progress

    def _write(self, job: Job, kind: str, data: Any) -> None:
        self._patiently(partial(self.store.write, job, kind, data))
        self._bells.ring(job.id)

    def _check_stopping(self) -> None:
        if self.service.stopping.is_set():
            raise NotRunningError

    def _keep(self) -> None:
        """Erase what has expired; when the service stops, hand back what is running."""
        self._patiently(self.store.expire)
        while not self.service.stopping.wait(EXPIRY_S):
            self._patiently(self.store.expire)
        with self._errors_logged():
            self.store.hand_back()
        self._bells.ring_all()
        self._queued.release(len(self._threads))

    def _patiently(self, step: Callable[[], T]) -> T | None:
        """``step``, again and again while the disk fails; None when the service stops first."""
        while True:
            with self._errors_logged():
                return step()
            if self.service.stopping.wait(AGAIN_S):
                return None

    @contextlib.contextmanager
    def _errors_logged(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            LOG.error("the store of jobs fails: %s", error)


class Bells:
    """Wake the streams that wait for events of a job, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hung: dict[str, list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}

    @contextlib.contextmanager
    def hung(self, job_id: str) -> Iterator[asyncio.Event]:
        """An event that is set when the bell of ``job_id`` rings."""
        pair = asyncio.get_running_loop(), asyncio.Event()
        with self._lock:
            self._hung.setdefault(job_id, []).append(pair)
        try:
            yield pair[1]
        finally:
            with self._lock:
                self._hung[job_id].remove(pair)
                if not self._hung[job_id]:
                    del self._hung[job_id]

    def ring(self, job_id: str) -> None:
        with self._lock:
            for loop, bell in self._hung.get(job_id, ()):
                with contextlib.suppress(RuntimeError):  # its loop has ended
                    loop.call_soon_threadsafe(bell.set)

    def ring_all(self) -> None:
        with self._lock:
            names = list(self._hung)
        for name in names:
            self.ring(name)
