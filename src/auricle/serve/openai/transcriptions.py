"""Transcriptions in OpenAI's shape: sounds in the place of speech."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Request, UploadFile
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from auricle.decoding.rerank import choose
from auricle.records import Caption
from auricle.serve.api import other_types, stored
from auricle.serve.forms import MEDIA_TYPES, SubtitleForm
from auricle.serve.openai.shapes import EVENTS, LenientForm, events, pieces, served
from auricle.serve.problems import declared
from auricle.serve.service import Service, Timed, unless_gone
from auricle.settings import Decoding

IGNORED = "Means nothing for sounds; accepted and ignored."
SEEK_HZ = 100  # of whisper's frames


class TranscriptionForm(SubtitleForm, LenientForm):  # the last one's configuration holds
    """The fields of a request for a transcription, and our own of timelines and subtitles."""

    file: UploadFile = Field(description="The recording.")
    response_format: Literal["json", "text", "srt", "vtt", "verbose_json"] = Field(
        "json",
        description="json, text: a sentence about the whole; srt, vtt, verbose_json: one per event"
        " or scene, with its times.",
    )
    stream: bool = Field(False, description="Of json and text: word by word, as events.")
    language: str | None = Field(None, description=IGNORED)
    prompt: str | None = Field(None, description=IGNORED)
    timestamp_granularities: list[str] = Field(
        [], alias="timestamp_granularities[]", description=IGNORED
    )
    include: list[str] = Field([], alias="include[]", description=IGNORED)
    chunking_strategy: str | None = Field(None, description=IGNORED)


class Transcription(BaseModel):
    """The caption of the whole recording."""

    text: str


class Segment(BaseModel):
    """A timed caption. ``avg_logprob`` is its mean log-probability per token; ``no_speech_prob`` is
    always 0, so that no client drops it: speech is not looked for."""

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class VerboseTranscription(BaseModel):
    """The timed captions of a recording, and all of them as a text."""

    task: str = "transcribe"
    language: str = "english"
    duration: float
    text: str
    segments: list[Segment]


def router(service: Service) -> APIRouter:
    routes = APIRouter(tags=["openai"])

    @routes.post(
        "/v1/audio/transcriptions",
        response_model=Transcription | VerboseTranscription,
        responses=declared(404, 408, 413, 422, 429) | other_types("text", "srt", "vtt", EVENTS),
        summary="Caption a recording, in OpenAI's shape",
    )
    async def transcriptions(
        request: Request, form: Annotated[TranscriptionForm, File()]
    ) -> Response:
        """What programs that transcribe speech ask for; they get captions of sounds.

        `model` is one of /v1/models; the names of OpenAI's models mean the default one. Fields that
        are not listed are ignored. A `temperature` of 0 means the model's own.
        """
        captioner = service.captioner(served(service, form.model))
        decoding, options, _ = form.decoding(captioner), form.options, form.guidelines
        async with stored(service, [form.file]) as (upload,):
            if form.response_format in ("json", "text"):
                (told,) = await unless_gone(
                    request.receive, service.captions([upload], captioner, decoding)
                )
                if told.caption is None:
                    assert told.error
                    raise told.error
                return _of_whole(form, told.caption.caption)
            timed = await unless_gone(
                request.receive, service.timeline(upload, captioner, options, decoding)
            )
        if form.response_format == "verbose_json":
            return JSONResponse(verbose(timed, decoding).model_dump())
        text = form.document(form.response_format, timed.captions, timed.duration_s, upload.name)
        return Response(text, media_type=MEDIA_TYPES[form.response_format])

    return routes


def _of_whole(form: TranscriptionForm, text: str) -> Response:
    if form.stream:
        return events(_spoken(text))
    if form.response_format == "text":
        return Response(f"{text}\n", media_type=MEDIA_TYPES["text"])
    return JSONResponse(Transcription(text=text).model_dump())


def _spoken(text: str) -> Iterator[dict[str, Any]]:
    for piece in pieces(text):
        yield {"type": "transcript.text.delta", "delta": piece}
    yield {"type": "transcript.text.done", "text": text}


def verbose(timed: Timed, decoding: Decoding) -> VerboseTranscription:
    return VerboseTranscription(
        duration=timed.duration_s,
        text=". ".join(one.caption for one in timed.captions),
        segments=[_segment(*one, decoding) for one in enumerate(timed.captions)],
    )


def _segment(number: int, caption: Caption, decoding: Decoding) -> Segment:
    options, content = decoding.options, caption.caption.encode()
    return Segment(
        id=number,
        seek=round(caption.start_s * SEEK_HZ),
        start=caption.start_s,
        end=caption.end_s,
        text=caption.caption,
        tokens=[],
        temperature=options.temperature if options.method == "nucleus" else 0.0,
        avg_logprob=choose(caption.candidates).log_likelihood,
        compression_ratio=len(content) / len(zlib.compress(content)),
        no_speech_prob=0.0,
    )
