"""The service's own interface: captions, timelines, models, health and metrics."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, File, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel
from starlette.datastructures import UploadFile

from auricle.serve.forms import MEDIA_TYPES, CaptionForm, TimelineForm
from auricle.serve.problems import RequestError, declared, of_recording, problem
from auricle.serve.service import Service, Told, unless_gone
from auricle.serve.uploads import Upload
from auricle.writers import WRITERS

EXAMPLE: dict[str, Any] = {
    "audio": "rain.wav",
    "start_s": 0.0,
    "end_s": 9.0,
    "caption": "rain falls and thunder rolls",
    "score": 0.174,
    "candidates": [
        {
            "text": "rain falls and thunder rolls",
            "log_likelihood": -0.98,
            "similarity": 0.67,
            "score": 0.174,
            "fluent": True,
            "summed_log_likelihood": -5.9,
            "fluency": 0.99,
            "agreement": 0.88,
            "count": 7,
            "model": None,
            "reason": None,
        }
    ],
    "model": "tiny",
    "decode": "nucleus",
    "seed": 0,
    "confidence": 0.71,
    "note": None,
}


class CandidateRecord(BaseModel):
    """A candidate caption with its reranking terms."""

    text: str
    log_likelihood: float
    similarity: float | None
    score: float
    fluent: bool | None
    summed_log_likelihood: float | None
    fluency: float | None
    agreement: float | None
    count: int
    model: str | None
    reason: str | None


class CaptionRecord(BaseModel):
    """The caption of a recording, as of `auricle caption --format json`."""

    audio: str
    start_s: float
    end_s: float
    caption: str
    score: float | None
    candidates: list[CandidateRecord]
    model: str
    decode: str
    seed: int
    confidence: float | None
    note: str | None = None

    model_config = {"json_schema_extra": {"examples": [EXAMPLE]}}


class FailedRecord(BaseModel):
    """A recording without a caption, among others."""

    audio: str
    error: dict[str, str]


class ModelRecord(BaseModel):
    """A model that is served; the first keys are those of OpenAI."""

    id: str
    object: str = "model"
    created: int = 0
    owned_by: str = "auricle"
    sample_rate_hz: int
    max_duration_s: float
    decode: str
    calibrated: bool


class Models(BaseModel):
    object: str = "list"
    data: list[ModelRecord]


class Limits(BaseModel):
    """What a client may send."""

    max_upload_mb: float
    max_files: int
    max_duration_s: float
    search: bool  # there is an index: /v1/search


def router(service: Service) -> APIRouter:
    routes = APIRouter(tags=["captions"])

    @routes.post(
        "/v1/captions",
        response_model=list[CaptionRecord | FailedRecord],
        responses=declared(404, 408, 413, 422, 429) | other_types("jsonl", "text", "csv"),
        summary="Caption recordings",
    )
    async def captions(request: Request, form: Annotated[CaptionForm, File()]) -> Response:
        """One sentence about the sounds of each recording, in the order of the files.

        A recording that cannot be captioned among others has its `error` in its place; alone, it
        is the answer's error.
        """
        captioner = service.captioner(form.model)
        decoding = form.decoding(captioner, form.explain)
        if len(form.file) > service.config.max_files:
            raise RequestError(
                413,
                "too_many_files",
                f"{len(form.file)} recordings; at most {service.config.max_files} in a request",
                "file",
            )
        async with stored(service, form.file) as uploads:
            told = await unless_gone(
                request.receive,
                service.captions(uploads, captioner, decoding, form.max_duration),
            )
        if len(told) == 1 and told[0].error:
            raise told[0].error
        names = [upload.name for upload in uploads]
        return answered(form.format, names, told)

    @routes.post(
        "/v1/timeline",
        response_model=list[CaptionRecord],
        responses=declared(404, 408, 413, 422, 429) | other_types("srt", "vtt", "csv", "jsonl"),
        summary="Tell what is heard when",
    )
    async def timeline(request: Request, form: Annotated[TimelineForm, File()]) -> Response:
        """A caption per event or scene, with its times; silence has none."""
        captioner = service.captioner(form.model)
        decoding, options, _ = form.decoding(captioner), form.options, form.guidelines
        async with stored(service, [form.file]) as (upload,):
            found = await unless_gone(
                request.receive, service.timeline(upload, captioner, options, decoding)
            )
        text = form.document(form.format, found.captions, found.duration_s, upload.name)
        return Response(text, media_type=MEDIA_TYPES[form.format])

    @routes.get("/v1/models", responses=declared())
    async def models() -> Models:
        """The models of this service; the first is the default."""
        return Models(data=[_model(service, name) for name in service.names])

    @routes.get("/v1/models/{name:path}", responses=declared(404, 422))
    async def model(name: str) -> ModelRecord:
        """A model of this service."""
        service.captioner(name)
        return _model(service, name)

    @routes.get("/v1/limits", responses=declared())
    async def limits() -> Limits:
        """What may be sent."""
        config = service.config
        return Limits(
            max_upload_mb=config.max_upload_mb,
            max_files=config.max_files,
            max_duration_s=config.max_duration_s,
            search=service.sounds is not None,
        )

    @routes.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @routes.get("/readyz", tags=["health"], responses=declared(503))
    async def readyz() -> Response:
        """The models are loaded, and requests are taken."""
        if service.stopping.is_set():
            return problem(503, "stopping", "the service is ending")
        return JSONResponse({"status": "ready"})

    @routes.get("/metrics", tags=["health"], responses=declared(), response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Counters in the text format of Prometheus."""
        return Response(service.metrics.text(), media_type=service.metrics.media_type)

    return routes


@asynccontextmanager
async def stored(service: Service, files: Sequence[UploadFile]) -> AsyncIterator[list[Upload]]:
    """Within, the files of a request as uploads."""
    async with AsyncExitStack() as stack:
        uploads = []
        for file in files:
            uploads.append(await service.store(file.file, file.filename))
            stack.callback(uploads[-1].discard)
        yield uploads


def answered(format: str, names: Sequence[str], told: Sequence[Told]) -> Response:
    """The captions of a request as a document."""
    if format == "json":
        records = [_record(name, one) for name, one in zip(names, told, strict=True)]
        return JSONResponse(records)
    stream = io.StringIO(newline="")
    with WRITERS[format](stream) as writer:
        for name, one in zip(names, told, strict=True):
            if one.caption:
                writer.write(one.caption, partial=bool(one.note))
            else:
                writer.fail(name, str(one.error).removeprefix(f"{name}: "))
    text = stream.getvalue()
    return Response(text, media_type=MEDIA_TYPES[format])


def other_types(*formats: str) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI document: media types beside JSON."""
    types = [MEDIA_TYPES.get(one, one).partition(";")[0] for one in formats]
    return {200: {"content": {one: {"schema": {"type": "string"}} for one in types}}}


def _record(name: str, told: Told) -> dict[str, Any]:
    if told.caption is None:
        assert told.error
        return {"audio": name, "error": of_recording(told.error)}
    record = told.caption.to_dict()
    return record | {"note": told.note} if told.note else record


def _model(service: Service, name: str) -> ModelRecord:
    captioner = service.captioner(name)
    calibration = captioner.ensemble.calibration
    decode = captioner.ensemble.decoding.method
    return ModelRecord(
        id=name,
        sample_rate_hz=captioner.sample_rate_hz,
        max_duration_s=captioner.max_duration_s,
        decode=decode,
        calibrated=calibration is not None and calibration.method == decode,
    )
