"""Chat completions in OpenAI's shape: recordings in, captions out. Text is not read."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from auricle.pipeline import Captioner
from auricle.records import Caption
from auricle.serve.api import other_types
from auricle.serve.openai.bodies import Bodies
from auricle.serve.openai.shapes import EVENTS, LenientForm, events, pieces, served
from auricle.serve.problems import RequestError, declared
from auricle.serve.service import Service, unless_gone
from auricle.serve.uploads import Upload
from auricle.settings import Decoding

MOST_CHOICES = 128
SOUND = {"type": "input_audio", "input_audio": {"data": "UklGRi…", "format": "wav"}}
EXAMPLE: dict[str, Any] = {"model": "tiny", "messages": [{"role": "user", "content": [SOUND]}]}


class InputAudio(BaseModel):
    data: str = Field(description="Base64, with or without the head of a data URI.")
    format: str = Field("wav", description="For messages alone; the content says what it is.")


class Part(BaseModel):
    """A part of a message; only those of type `input_audio` are heard."""

    type: str
    input_audio: InputAudio | None = None


class ChatMessage(BaseModel):
    role: str
    content: list[Part] | str | None = None


class StreamOptions(BaseModel):
    include_usage: bool = False


class ChatRequest(LenientForm):
    """A chat whose last message of the user holds recordings, and our own fields of captions."""

    messages: list[ChatMessage] = Field(
        description="The last one of the user holds the recordings. Text is ignored: the model"
        " hears, and follows no instructions."
    )
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES)] = Field(
        1, description="Choices, the best caption first; fewer if fewer were found."
    )
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Tokens of a caption; it makes captions shorter, never longer."
    )
    max_tokens: Annotated[int, Field(ge=1)] | None = Field(None, description="As above.")
    stream: bool = Field(False, description="Word by word, as events.")
    stream_options: StreamOptions = StreamOptions()
    modalities: list[str] = Field(["text"], description="text alone.")

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    @property
    def recordings(self) -> list[InputAudio]:
        """Raises RequestError: there are none."""
        of_user = [one.content for one in self.messages if one.role == "user"]
        parts = of_user[-1] if of_user else None
        heard = [] if parts is None or isinstance(parts, str) else parts
        if found := [one.input_audio for one in heard if one.input_audio]:
            return found
        raise RequestError(
            400,
            "no_recording",
            'the last message of the user holds no recording; give a part {"type": "input_audio",'
            ' "input_audio": {"data": BASE64, "format": "wav"}}',
            "messages",
        )

    @property
    def most_tokens(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    def decoding(self, captioner: Any, explain: bool = False) -> Decoding:
        found = super().decoding(captioner, explain)
        if self.most_tokens is None:
            return found
        own = found.options
        longest = min(own.max_length, self.most_tokens + 2)  # with the start and the end token
        options = replace(own, max_length=longest, min_length=min(own.min_length, longest - 1))
        return replace(found, options=options)


class Usage(BaseModel):
    """Tokens of the captions. A recording has none: ``prompt_tokens`` is 0."""

    prompt_tokens: int = 0
    completion_tokens: int
    total_tokens: int


class ChatAnswer(BaseModel):
    """A caption of each recording, a line each."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    index: int
    message: ChatAnswer
    logprobs: None = None
    finish_reason: Literal["stop", "length"]


class Completion(BaseModel):
    """Captions of the recordings of a chat."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


def router(service: Service) -> APIRouter:
    routes = APIRouter(tags=["openai"])
    bodies = Bodies(service)

    @routes.post(
        "/v1/chat/completions",
        response_model=Completion,
        responses=declared(404, 408, 413, 422, 429) | other_types(EVENTS),
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _inlined(ChatRequest)}},
            }
        },
        summary="Caption recordings, in the shape of OpenAI's chats",
    )
    async def completions(request: Request) -> Response:
        """A caption of each recording in the last message of the user, a line each, as of
        /v1/captions. At most 32 MB; /v1/audio/transcriptions takes more.

        `model` is one of /v1/models; the names of OpenAI's models mean the default one. Fields that
        are not listed are ignored. A `temperature` of 0 means the model's own.
        """
        async with bodies.read(request) as body:
            chat = await asyncio.to_thread(_parsed, body)
            name = served(service, chat.model)
            captioner = service.captioner(name)
            decoding = chat.decoding(captioner)
            _check(service, chat)
            uploads = await _stored(service, chat.recordings)
        try:
            found = await unless_gone(
                request.receive, service.captions(uploads, captioner, decoding)
            )
        finally:
            for upload in uploads:
                upload.discard()
        captions = []
        for told in found:
            if told.caption is None:
                assert told.error
                raise told.error
            captions.append(told.caption)
        answer = _completion(chat, name, captioner, captions)
        if chat.stream:
            usage = chat.stream_options.include_usage
            return events(_chunks(answer, usage), end="[DONE]")
        return JSONResponse(answer.model_dump())

    return routes


def _parsed(body: bytearray) -> ChatRequest:
    try:
        return ChatRequest.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError(
            error.errors(include_url=False, include_context=False, include_input=False)
        ) from error


def _check(service: Service, chat: ChatRequest) -> None:
    """Raises RequestError: there are no recordings or too many, or sound is wanted."""
    most = service.config.max_files
    if (given := len(chat.recordings)) > most:
        raise RequestError(
            413,
            "too_many_files",
            f"{given} recordings; at most {most} in a request",
            "messages",
        )
    if chat.modalities != ["text"]:
        raise RequestError(
            422, "invalid_setting", 'modalities: the answer is text; give ["text"]', "modalities"
        )


async def _stored(service: Service, recordings: list[InputAudio]) -> list[Upload]:
    """The recordings as uploads, which the caller discards."""
    uploads: list[Upload] = []
    try:
        for number, one in enumerate(recordings, 1):
            content = await asyncio.to_thread(decoded, one.data)
            name = f"recording {number}.{one.format}"
            uploads.append(await service.store(io.BytesIO(content), name))
    except BaseException:
        for upload in uploads:
            upload.discard()
        raise
    return uploads


def decoded(data: str) -> bytes:
    """The bytes in base64, with or without the head of a data URI.

    Raises RequestError: it is something else.
    """
    head, comma, content = data.partition(",")
    if not comma:
        head, content = "data:;base64", data
    try:
        if not (head.startswith("data:") and head.endswith(";base64")):
            raise ValueError
        return base64.b64decode("".join(content.split()), validate=True)
    except (ValueError, binascii.Error) as error:
        raise RequestError(
            400,
            "invalid_base64",
            "input_audio.data: no base64 of a recording; an address is not opened",
            "messages",
        ) from error


def _completion(
    chat: ChatRequest, name: str, captioner: Captioner, captions: list[Caption]
) -> Completion:
    found = [_texts(caption) for caption in captions]
    count = min(chat.n, max(map(len, found)))
    tokenizer = captioner.scorers[0].tokenizer
    choices, spent = [], 0
    for index in range(count):
        lines = [texts[min(index, len(texts) - 1)] for texts in found]
        tokens = [len(tokenizer.encode(line)) for line in lines]
        spent += sum(tokens)
        reason: Literal["stop", "length"] = "stop"
        if chat.most_tokens is not None and max(tokens) >= chat.most_tokens:
            reason = "length"
        message = ChatAnswer(content="\n".join(lines))
        choices.append(Choice(index=index, message=message, finish_reason=reason))
    return Completion(
        id=f"chatcmpl-{secrets.token_urlsafe(18)}",
        created=int(time.time()),
        model=name,
        choices=choices,
        usage=Usage(completion_tokens=spent, total_tokens=spent),
    )


def _texts(caption: Caption) -> list[str]:
    """The caption, then the other candidates, best first; alone if none is believed."""
    texts = [one.text for one in caption.candidates]
    if caption.caption not in texts:
        return [caption.caption]
    return [caption.caption, *(text for text in texts if text != caption.caption)]


def _chunks(answer: Completion, with_usage: bool) -> Iterator[dict[str, Any]]:
    """The choices of an answer, one after the other, word by word."""
    head = {
        "id": answer.id,
        "object": "chat.completion.chunk",
        "created": answer.created,
        "model": answer.model,
    } | ({"usage": None} if with_usage else {})

    def chunk(choice: Choice, delta: Mapping[str, Any], reason: str | None = None) -> Any:
        part = {
            "index": choice.index,
            "delta": delta,
            "logprobs": None,
            "finish_reason": reason,
        }
        return head | {"choices": [part]}

    for choice in answer.choices:
        yield chunk(choice, {"role": "assistant", "content": ""})
        for piece in pieces(choice.message.content):
            yield chunk(choice, {"content": piece})
        yield chunk(choice, {}, choice.finish_reason)
    if with_usage:
        yield head | {"choices": [], "usage": answer.usage.model_dump()}


def _inlined(model: type[BaseModel]) -> Any:
    """The JSON schema of a model that refers to nothing outside itself."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})

    def resolved(value: Any) -> Any:
        if isinstance(value, list):
            return [resolved(one) for one in value]
        if not isinstance(value, dict):
            return value
        if place := value.get("$ref"):
            return resolved(parts[place.rpartition("/")[2]])
        return {key: resolved(one) for key, one in value.items()}

    return resolved(schema)
