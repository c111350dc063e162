"""Configuration of the service."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from auricle.fetch.cache import cache_folder
from auricle.schema import Range, check

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def default_data() -> Path:
    return cache_folder() / "service"


@dataclass(frozen=True)
class ServiceConfig:
    """What a service is started with.

    Attributes:
        data: folder of jobs and their uploads, which survive a restart.
        api_keys: one of them must come with a request; without any, all may ask.
        hosts: names of proxies before the service. A page of another site, or one that gives its
            own name the address of this machine, is refused.
        frame_ancestor: the site that may show the page in a frame.
        batch_size: recordings that are encoded together; 1 turns batching off.
        max_wait_s: a recording waits so long for others to come.
        max_queue: recordings of all requests that may be in work or wait; more are told to come
            later.
        max_uploads: requests whose bodies may come in at once.
        max_upload_mb: size of a request.
        max_files: recordings in one request.
        max_duration_s: length of a recording that is sent for an immediate answer; jobs may be
            longer.
        decoder_memory_mb, decoder_s: memory of a decoder's process, and the time it may take for a
            recording.
        body_s, header_s: patience for the next bytes of a request's body, and for its header.
        background: threads for long recordings and timelines.
        job_threads, max_jobs, max_jobs_mb, keep_s: threads that do jobs, unfinished jobs, the size
            of their recordings together, and how long a finished job's result is kept.
        graceful_s: after a signal to end, requests have so long to finish.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Range(0, 65535)] = 8000
    data: Path = field(default_factory=default_data)
    api_keys: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    frame_ancestor: str | None = None
    batch_size: Annotated[int, Range(1, 1024)] = 16
    max_wait_s: Annotated[float, Range(0, 10)] = 0.005
    max_queue: Annotated[int, Range(1, 1_000_000)] = 512
    max_uploads: Annotated[int, Range(1, 100_000)] = 256
    max_upload_mb: Annotated[float, Range(0.001, 1_000_000)] = 1024.0
    max_files: Annotated[int, Range(1, 10_000)] = 64
    max_duration_s: Annotated[float, Range(1, 1e9)] = 4 * 3600.0
    decoder_memory_mb: Annotated[int, Range(128, 1_000_000)] = 1024
    decoder_s: Annotated[float, Range(0.1, 1e6)] = 120.0
    body_s: Annotated[float, Range(0.1, 1e6)] = 30.0
    header_s: Annotated[float, Range(0.1, 1e6)] = 15.0
    background: Annotated[int, Range(1, 1024)] = 4
    job_threads: Annotated[int, Range(1, 1024)] = 1
    max_jobs: Annotated[int, Range(1, 1_000_000)] = 256
    max_jobs_mb: Annotated[float, Range(0.001, 1e9)] = 16 * 1024.0
    keep_s: Annotated[float, Range(1, 1e9)] = 24 * 3600.0
    graceful_s: Annotated[float, Range(0, 3600)] = 30.0

    def __post_init__(self) -> None:
        check(self)

    @property
    def is_local(self) -> bool:
        """Only this machine can reach the service."""
        return self.host in LOOPBACK
