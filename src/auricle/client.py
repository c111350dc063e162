"""Client: captions and timelines made by a service, as the same records.

    import auricle

    client = auricle.connect("http://127.0.0.1:8000")
    print(client.caption("rain.wav")[0].caption)

Recordings are streamed from the disk; the service and its models may run on another machine.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, overload
from urllib.parse import quote

from auricle.audio.kinds import AudioInput, is_one
from auricle.audio.lookahead import in_order
from auricle.audio.source import Stream
from auricle.connection import TRIES, Connection, CutError, uploading
from auricle.errors import AudioError, ServiceError
from auricle.outcomes import OnError, check_on_error, settled
from auricle.records import Caption
from auricle.settings import one_of
from auricle.watch import Progress, silent

if TYPE_CHECKING:
    import httpx
    import numpy as np

Task: TypeAlias = Literal["caption", "timeline", "picture"]
Source: TypeAlias = "AudioInput | np.ndarray"

AT_ONCE = 8  # requests of one call
LARGE_BYTES = 32 * 2**20  # a timeline of more is a job, whose progress can be told
# Names of the library, and those of the service, which are the command line's.
FIELDS = {
    "every_term": "explain",
    "forbidden_words": "forbid",
    "hop_s": "hop",
    "max_duration_s": "max_duration",
    "min_duration_s": "min_duration",
}


@dataclass(frozen=True)
class Answer:
    """The caption of a recording, or the reason why it has none."""

    caption: Caption | None = None
    error: AudioError | None = None


@dataclass(frozen=True)
class JobEvent:
    """What happens in a job: a `Caption` of kind "caption" or "timeline"; else plain values, of
    kind "state", "progress", "picture", "words", "note" or, at last, "end"."""

    kind: str
    value: Any


@dataclass(frozen=True)
class JobResult:
    """What came of a job; ``words`` and ``picture`` are plain values, see docs/service.md."""

    captions: list[Caption]
    timeline: list[Caption]
    words: list[dict[str, Any]]
    picture: dict[str, Any] | None
    notes: list[str]


class Client:
    """A service at ``url``, as `auricle.connect` gives it; a context manager, which closes its
    connections.

    Settings of every method are those of `Captioner`, such as ``seed`` and ``candidates``, and
    ``model``, one of `models`.

    Raises:
        AudioError: a recording cannot be sent, or the service cannot use it.
        ModelError: the service has no such model, or a setting is wrong.
        ServiceError: there is no service, or it refuses.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None,
        timeout_s: float,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._connection = Connection(url, api_key, timeout_s, transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of {self._connection.url}>"

    def close(self) -> None:
        self._connection.close()

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
        self,
        audio: Source | Iterable[Source],
        *,
        on_error: OnError = "raise",
        sample_rate: int | None = None,
        sampling_rate: int | None = None,
        **settings: Any,
    ) -> list[Any]:
        """Caption one recording or several, as `Captioner.caption` does: the same recordings, the
        same list, the same ``on_error``. Some requests are under way at once."""
        check_on_error(on_error)
        rate = one_of(sample_rate=sample_rate, sampling_rate=sampling_rate)
        single = is_one(audio)
        sources: Any = [audio] if single else audio
        ask = partial(self._answer, rate=rate, fields=_fields(settings))
        answers = list(in_order(ask, sources, AT_ONCE))
        return settled(answers, on_error, single)

    __call__ = caption

    def timeline(
        self,
        source: Source,
        *,
        progress: Progress = silent,
        sample_rate: int | None = None,
        sampling_rate: int | None = None,
        **settings: Any,
    ) -> list[Caption]:
        """The timed captions of one recording. A large file is sent as a job, whose ``progress``
        is told in seconds."""
        rate = one_of(sample_rate=sample_rate, sampling_rate=sampling_rate)
        fields = _fields(settings)
        with uploading(source, rate) as (name, sound):
            if sound.size > LARGE_BYTES:
                job = self._ordered(name, sound, {**fields, "task": "timeline"})
            else:
                answer = self._connection.send("POST", "/v1/timeline", name, sound, fields)
                return self._connection.captions(answer, name)
        return job.result(progress).timeline

    def job(
        self,
        source: Source,
        tasks: Task | Sequence[Task] = "timeline",
        *,
        words: bool = False,
        sample_rate: int | None = None,
        sampling_rate: int | None = None,
        **settings: Any,
    ) -> Job:
        """Order ``tasks`` for one recording of any length; the service does them in its own time,
        also without this program. ``model`` may be several."""
        rate = one_of(sample_rate=sample_rate, sampling_rate=sampling_rate)
        wanted = [tasks] if isinstance(tasks, str) else list(tasks)
        fields = {**_fields(settings), "task": wanted, "words": words}
        with uploading(source, rate) as (name, sound):
            return self._ordered(name, sound, fields)

    def job_of(self, job_id: str) -> Job:
        """The job with this id, which another program may have ordered."""
        status = self._connection.send("GET", job_path(job_id))
        return Job(self._connection, job_id, status["audio"])

    def models(self) -> list[str]:
        """The names of the service's models; the first is the default."""
        return [one["id"] for one in self._connection.send("GET", "/v1/models")["data"]]

    def _answer(self, source: Source, rate: int | None, fields: Mapping[str, Any]) -> Answer:
        try:
            with uploading(source, rate) as (name, sound):
                answer = self._connection.send("POST", "/v1/captions", name, sound, fields)
        except AudioError as error:
            return Answer(error=error)
        return Answer(self._connection.captions(answer, name)[0])

    def _ordered(self, name: str, sound: Stream, fields: Mapping[str, Any]) -> Job:
        answer = self._connection.send("POST", "/v1/jobs", name, sound, fields)
        return Job(self._connection, answer["id"], name)


class Job:
    """Work of the service on one recording; ``id`` finds it again (`Client.job_of`)."""

    def __init__(self, connection: Connection, job_id: str, name: str) -> None:
        self._connection, self.id, self._name = connection, job_id, name
        self._path = job_path(job_id)

    def __repr__(self) -> str:
        return f"<Job {self.id} of {self._name}>"

    def status(self) -> dict[str, Any]:
        """The job as the service tells it: ``state``, ``progress``, ``error`` and more."""
        return {key: value for key, value in self._seen().items() if key != "result"}

    def events(self) -> Iterator[JobEvent]:
        """What has happened, then what happens, as it does, to the job's end. A connection that is
        cut is made again, and goes on where it was."""
        last, failed = "", 0
        while True:
            try:
                for number, kind, value in self._connection.events(f"{self._path}/events", last):
                    last, failed = number, 0
                    if kind in ("caption", "timeline"):
                        value = self._connection.captions([value], self._name)[0]
                    yield JobEvent(kind, value)
                    if kind == "end":
                        return
                raise CutError(f"{self!r}: its events ended before it did; ask for its status")
            except CutError:
                failed += 1
                if failed == TRIES:
                    raise
                time.sleep(2.0**failed / 4)  # 15 s in all: the service may be starting again

    def result(self, progress: Progress = silent) -> JobResult:
        """What comes of the job, which is waited for.

        Raises:
            AudioError: the recording cannot be used.
            ServiceError: the job failed for another reason, or was cancelled.
        """
        for event in self.events():
            if event.kind == "progress":
                progress(event.value["stage"], event.value["done"], event.value["total"])
        seen = self._seen()
        if problem := seen["error"]:
            raise self._connection.refusal(problem["code"], problem["message"], self._name)
        if seen["state"] != "done":
            raise ServiceError(f"{self._name}: the job was {seen['state']}; order it again")
        found = seen["result"]
        return JobResult(
            self._connection.captions(found["captions"], self._name),
            self._connection.captions(found["timeline"], self._name),
            found["words"],
            found["picture"],
            found["notes"],
        )

    def cancel(self) -> None:
        """Cancel the job; erase a finished one with its result."""
        self._connection.send("DELETE", self._path)

    def _seen(self) -> dict[str, Any]:
        seen: dict[str, Any] = self._connection.send("GET", self._path)
        return seen


def job_path(job_id: str) -> str:
    return f"/v1/jobs/{quote(job_id, safe='')}"


def _fields(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as the fields of a form; what is None is the service's own."""
    return {
        FIELDS.get(name, name): list(value) if isinstance(value, tuple | set) else value
        for name, value in settings.items()
        if value is not None
    }
