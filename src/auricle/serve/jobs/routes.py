"""The routes of jobs: to order one, to see it, to follow it as it goes, and to end it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, File, Header
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from auricle.serve.api import CaptionRecord
from auricle.serve.jobs.order import JobForm, Task
from auricle.serve.jobs.rows import Event, Job, State
from auricle.serve.jobs.runner import Jobs
from auricle.serve.problems import RequestError, declared
from auricle.serve.service import Service

EVENTS = "text/event-stream"
KINDS = ("state", "progress", "picture", "caption", "words", "timeline", "note", "end")
EVENT = {
    "type": "object",
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string"},
        "event": {"enum": KINDS},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
LARGEST = 2**63 - 1  # number of an event


class JobProgress(BaseModel):
    """Seconds of a step that are done, and of the whole; 0 if that is not known."""

    stage: str
    done: int
    total: int


class JobError(BaseModel):
    """Why a job has failed."""

    code: str
    message: str


class JobStatus(BaseModel):
    """A job, without what came of it."""

    id: str
    state: State
    audio: str = Field(description="The client's name of the recording.")
    tasks: list[Task]
    models: list[str]
    duration_s: float | None = Field(description="Of the recording, as soon as it is known.")
    created: str
    started: str | None
    finished: str | None
    expires: str | None = Field(description="When a finished job and its result are erased.")
    progress: JobProgress | None
    error: JobError | None

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "id": "Zk3vJ0m1cXy8WqUu2rT5hLdA",
                    "state": "running",
                    "audio": "forest.wav",
                    "tasks": ["timeline"],
                    "models": ["tiny"],
                    "duration_s": 3600.0,
                    "created": "2026-01-31T12:00:00.000Z",
                    "started": "2026-01-31T12:00:00.105Z",
                    "finished": None,
                    "expires": None,
                    "progress": {"stage": "timeline tiny", "done": 120, "total": 3600},
                    "error": None,
                }
            ]
        }
    }


class Spectrogram(BaseModel):
    """A log-mel spectrogram."""

    rows: int
    columns: int
    data: str = Field(description="Base64 of a byte per place, row by row, the lowest row first.")


class Picture(BaseModel):
    """The waveform and spectrogram of a recording in columns of ``column_s`` seconds."""

    duration_s: float
    column_s: float
    lows: list[int] = Field(description="The least sample of each column, 127 is full scale.")
    highs: list[int]
    spectrogram: Spectrogram
    marks: list[tuple[float, float]] = Field(description="Hz, and its height from 0 to 1.")


class WordsRecord(BaseModel):
    """When a model hears each word of its caption."""

    model: str
    audio: str
    words: list[str]
    start_s: float
    end_s: float
    weights: list[list[float]] = Field(
        description="Of each word: the share of its attention that each of equal steps has."
    )


class JobResult(BaseModel):
    """What came of a job so far."""

    captions: list[CaptionRecord]
    timeline: list[CaptionRecord]
    words: list[WordsRecord]
    notes: list[str]
    picture: Picture | None


class JobWithResult(JobStatus):
    """A job, with what came of it so far."""

    result: JobResult


def router(service: Service, jobs: Jobs) -> APIRouter:
    routes = APIRouter(prefix="/v1/jobs", tags=["jobs"])

    @routes.post(
        "",
        status_code=202,
        response_model=JobStatus,
        responses={
            **declared(404, 408, 413, 422, 429, 503),
            202: {"headers": {"Location": {"schema": {"type": "string"}}}},
        },
        summary="Order a job",
    )
    async def order(form: Annotated[JobForm, File()]) -> Response:
        """Work on a recording of any length goes on without the client, also after a restart."""
        wanted = form.order().checked(service)
        upload = await service.store(form.file.file, form.file.filename)
        try:
            job = await run_in_threadpool(jobs.add, wanted, upload)
        finally:
            upload.discard()
        return JSONResponse(job.status(), 202, {"Location": f"/v1/jobs/{job.id}"})

    @routes.get(
        "/{job_id}", response_model=JobWithResult, responses=declared(404, 422), summary="See a job"
    )
    def see(job_id: str) -> Response:
        """How far a job is, and what came of it so far."""
        found = jobs.store.with_result(job_id)
        if found is None:
            raise _not_found()
        job, result = found
        status = json.dumps(job.status())
        body = f'{status[:-1]}, "result": {result}}}'  # which may be long: it is JSON already
        return Response(body, media_type="application/json")

    @routes.get(
        "/{job_id}/events",
        response_class=StreamingResponse,
        responses={
            **declared(404, 422),
            200: {"content": {EVENTS: {"itemSchema": EVENT}}},
            204: {"description": "There is nothing after `Last-Event-ID`, and never will be."},
        },
        summary="Follow a job",
    )
    async def follow(
        job_id: str, last_event_id: Annotated[str | None, Header()] = None
    ) -> Response:
        """Server-sent events: `state` (the status), `progress`, `picture`, `caption`, `words`,
        `timeline`, `note`, and at last `end` (the status). `Last-Event-ID` goes on after it."""
        job = await run_in_threadpool(_found, jobs, job_id)
        after = _number(last_event_id)
        if job.is_finished and after >= job.last:
            return Response(status_code=204)  # a browser does not ask again
        return StreamingResponse(
            _stream(jobs.events(job, after)),
            media_type=EVENTS,
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    @routes.delete(
        "/{job_id}",
        response_model=JobStatus,
        responses={**declared(404, 422), 204: {"description": "A finished job is erased."}},
        summary="Cancel or erase a job",
    )
    def end(job_id: str) -> Response:
        """Cancels a job that is not finished; erases a finished one with its result."""
        if job := jobs.cancel(job_id):
            return JSONResponse(job.status())
        if jobs.erase(job_id):
            return Response(status_code=204)
        raise _not_found()

    return routes


async def _stream(events: AsyncIterator[Event | None]) -> AsyncIterator[str]:
    """Events as text; a comment keeps the connection open where there is none."""
    async for event in events:
        if event is None:
            yield ": nothing yet\n\n"
        else:
            yield f"id: {event.number}\nevent: {event.kind}\ndata: {event.data}\n\n"


def _found(jobs: Jobs, job_id: str) -> Job:
    job = jobs.store.find(job_id)
    if job is None:
        raise _not_found()
    return job


def _not_found() -> RequestError:
    return RequestError(
        404,
        "job_not_found",
        "there is no such job: it was erased, its result has expired, or its id is another",
    )


def _number(last_event_id: str | None) -> int:
    """0 for what is no number of an event."""
    text = last_event_id or ""
    return min(int(text), LARGEST) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
