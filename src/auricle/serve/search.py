"""Search over HTTP: sounds of the index by words, by likeness, and their files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from fastapi import APIRouter, Header, Query, Request
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from auricle.serve.api import stored
from auricle.serve.forms import Unicode
from auricle.serve.problems import RequestError, declared
from auricle.serve.ranges import file_answer, media_type
from auricle.serve.service import Service, unless_gone
from auricle.serve.sounds import Folders, Sounds, sound_of
from auricle.serve.uploads import base_name

if TYPE_CHECKING:
    from auricle.audio.load import Recording
    from auricle.search.rows import Sound
    from auricle.search.search import Library, Result

PREVIEW_S, PREVIEW_RATE_HZ = 30.0, 44_100
LIKE_S = 60.0  # of a recording that is sent: more than a model hears at once
LARGEST = 2**63 - 1  # id

Id: TypeAlias = Annotated[int, Field(ge=1, le=LARGEST)]
IdInPath: TypeAlias = Annotated[int, InPath(ge=1, le=LARGEST, description="Of a result.")]

EXAMPLE: dict[str, Any] = {
    "id": 17,
    "audio": "sounds/night/gate.wav",
    "start_s": 20.0,
    "end_s": 30.0,
    "caption": "a metal gate creaks and slams shut",
    "confidence": 0.62,
    "tags": ["Squeak", "Door"],
    "duration_s": 61.5,
    "content": "0f343b0931126a20f133d67c2b018a3b",
    "media_type": "audio/wav",
    "score": 0.97,
    "similarity": 0.58,
    "likeness": None,
    "words": 0.5,
    "others": [[40.0, 50.0]],
    "copies": ["sounds/copies/gate.mp3"],
}


class SearchQuery(BaseModel):
    """What is looked for: `text`, or `like`, or both."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"text": "metal gate at night", "exclude": ["music"]}]},
    )

    text: Unicode = Field(
        "", description='What is heard, in English; "rain without thunder" says what is not.'
    )
    like: Id | None = Field(None, description="The id of a result that they are to be like.")
    exclude: list[Unicode] = Field([], max_length=20, description="What is not heard.")
    limit: int = Field(20, ge=1, le=200)
    min_duration: float | None = Field(
        None, ge=0, le=1e9, description="Seconds that a recording, or its part, lasts at least."
    )
    folder: Unicode | None = Field(
        None, description="Only below this one: a name of /v1/index, with a way below it or not."
    )


class SoundRecord(BaseModel):
    """A recording of the index, or a part of a long one."""

    id: int
    audio: str = Field(description="The name of its indexed folder, and the way from there.")
    start_s: float
    end_s: float
    caption: str
    confidence: float | None
    tags: list[str] = Field(description="Classes that are heard, best first.")
    duration_s: float = Field(description="Of the file.")
    content: str = Field(description="BLAKE2b of the file's bytes.")
    media_type: str = Field(description="Of the file.")


class FoundRecord(SoundRecord):
    """A result, as of `auricle search --format jsonl`."""

    score: float = Field(description="From 0 to 1, the first by every measure; no probability.")
    similarity: float | None = Field(description="Cosine with the text.")
    likeness: float | None = Field(description="Cosine with the sound that it is to be like.")
    words: float | None = Field(description="Share of the text's words that are told of it.")
    others: list[tuple[float, float]] = Field(
        description="(start_s, end_s) of other parts of the recording that were found."
    )
    copies: list[str] = Field(description="Other files with the same content.")

    model_config = {"json_schema_extra": {"examples": [EXAMPLE]}}


class Found(BaseModel):
    """The results, best first."""

    results: list[FoundRecord]
    sounds: int = Field(description="In the index.")
    model: str = Field(description="That heard them.")


class IndexRecord(BaseModel):
    """What can be searched."""

    sounds: int
    model: str
    folders: list[str] = Field(description="Names, for `folder`.")


def _body() -> dict[str, Any]:
    """For the OpenAPI document: the fields as JSON, or as a form with a recording."""
    schema = SearchQuery.model_json_schema()
    file = {"type": "string", "format": "binary", "description": "A recording, in place of `like`."}
    form = {**schema, "properties": {**schema["properties"], "file": file}}
    content = {"application/json": {"schema": schema}, "multipart/form-data": {"schema": form}}
    return {"requestBody": {"required": True, "content": content}}


def _of_type(media_type: str) -> dict[str, Any]:
    return {"content": {media_type: {"schema": {"type": "string", "format": "binary"}}}}


def router(service: Service, sounds: Sounds | None) -> APIRouter:
    """Without ``sounds``, every route answers that there is no index."""
    routes = APIRouter(tags=["search"])

    def index() -> Sounds:
        if sounds is None:
            raise RequestError(
                404, "no_index", "this service has no index; start it with --index DIR"
            )
        return sounds

    @routes.get("/v1/index", responses=declared(404, 429, 503), summary="See what can be searched")
    async def about() -> IndexRecord:
        """The number of sounds, the model that heard them, and the folders."""
        return await index().ask(_about)

    @routes.post(
        "/v1/search",
        responses=declared(404, 408, 413, 422, 429, 503),
        openapi_extra=_body(),
        summary="Find sounds",
    )
    async def search(request: Request) -> Found:
        """Sounds that fit a text, are like another sound of the index, or like a recording that
        comes along as `file`. The same request has the same results."""
        searched = index()
        if not request.headers.get("Content-Type", "").lower().startswith("multipart/form-data"):
            query = _checked(await request.body())
            return await searched.ask(lambda library: _found(library, query, query.like))
        async with request.form(max_files=1, max_fields=64) as form:
            file = form.get("file")
            values = {name: form.getlist(name) for name in form if name != "file"}
            query = _checked({n: v if n == "exclude" else v[-1] for n, v in values.items()})
            if not isinstance(file, UploadFile):
                return await searched.ask(lambda library: _found(library, query, query.like))
            if query.like is not None:
                raise RequestError(422, "invalid_setting", "like: give it, or a file", "like")
            async with stored(service, [file]) as (upload,):
                recording = await unless_gone(
                    request.receive,
                    service.hear(
                        upload.path, upload.name, service.captioner().sample_rate_hz, 0.0, LIKE_S
                    ),
                )
        return await searched.ask(lambda library: _found(library, query, _source(recording)))

    @routes.get(
        "/v1/sounds/{id}",
        responses=declared(404, 422, 429, 503),
        summary="See a sound of the index",
    )
    async def sound(id: IdInPath) -> SoundRecord:
        """What is told of it."""
        return SoundRecord(**_record(*await index().ask(lambda library: sound_of(library, id))))

    @routes.get(
        "/v1/sounds/{id}/audio",
        response_class=Response,
        responses=declared(404, 416, 422, 429, 503)
        | {200: _of_type("*/*"), 206: {"description": "A range of it."} | _of_type("*/*")},
        summary="Get a sound's file",
    )
    async def audio(
        id: IdInPath,
        download: Annotated[bool, Query(description="As a file to keep.")] = False,
        range: Annotated[str | None, Header(description="Of bytes.")] = None,
    ) -> Response:
        """The whole file as it is, or the range of bytes that is asked for."""
        one, folders = await index().ask(lambda library: sound_of(library, id))
        name = base_name(one.audio)

        def opened() -> Response:
            try:
                return file_answer(folders.file_of(one), name, range, download)
            except OSError as error:
                raise folders.gone(one) from error

        return await run_in_threadpool(opened)

    @routes.get(
        "/v1/sounds/{id}/preview",
        response_class=Response,
        responses=declared(404, 422, 429, 503) | {200: _of_type("audio/wav")},
        summary="Listen to a sound",
    )
    async def preview(request: Request, id: IdInPath) -> Response:
        """The sound from its start to its end, 30 seconds at most, as a file that every browser
        plays."""
        one, folders = await index().ask(lambda library: sound_of(library, id))
        path = await run_in_threadpool(folders.file_of, one)
        end_s = min(one.end_s, one.start_s + PREVIEW_S)
        recording = await unless_gone(
            request.receive,
            service.hear(path, base_name(one.audio), PREVIEW_RATE_HZ, one.start_s, end_s),
        )
        return Response(await run_in_threadpool(_wav, recording), media_type="audio/wav")

    return routes


def _checked(given: bytes | Mapping[str, Any]) -> SearchQuery:
    try:
        if isinstance(given, bytes):
            return SearchQuery.model_validate_json(given)
        return SearchQuery.model_validate(given)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error


def _about(library: Library) -> IndexRecord:
    index = library.index
    names = sorted(Folders(index.folders()).names)
    return IndexRecord(sounds=len(index.vectors()[0]), model=index.model, folders=names)


def _found(library: Library, query: SearchQuery, like: Any) -> Found:
    index = library.index
    folders, (ids, _) = Folders(index.folders()), index.vectors()
    if isinstance(like, int) and like not in ids:
        raise RequestError(
            404, "sound_not_found", f"{like}: no such sound in the index, or it is silent", "like"
        )
    results = library.search(
        query.text,
        query.limit,
        like=like,
        exclude=query.exclude,
        min_duration_s=query.min_duration,
        folder=None if query.folder is None else folders.path_of(query.folder),
    )
    records = [_found_record(one, folders) for one in results]
    return Found(results=records, sounds=len(ids), model=index.model)


def _record(one: Sound | Result, folders: Folders) -> dict[str, Any]:
    kept = ("id", "start_s", "end_s", "caption", "confidence", "tags", "duration_s", "content")
    record = {name: getattr(one, name) for name in kept}
    return record | {"audio": folders.name_of(one.audio), "media_type": media_type(one.audio)}


def _found_record(one: Result, folders: Folders) -> FoundRecord:
    measures = ("score", "similarity", "likeness", "words", "others")
    return FoundRecord(
        **_record(one, folders),
        **{name: getattr(one, name) for name in measures},
        copies=[folders.name_of(path) for path in one.copies],
    )


def _source(recording: Recording) -> dict[str, Any]:
    """A recording as a source of `Captioner`, with its name."""
    return {
        "array": recording.waveform,
        "sampling_rate": recording.sample_rate_hz,
        "path": recording.name,
    }


def _wav(recording: Recording) -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, recording.waveform, recording.sample_rate_hz, "PCM_16", format="WAV")
    return file.getvalue()
