"""What the shapes share: names of models, lenient fields, and streams of events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from fastapi.responses import StreamingResponse
from pydantic import ConfigDict, field_validator, model_validator

from auricle.serve.forms import DecodingForm
from auricle.serve.service import Service

THEIRS = ("whisper-", "gpt-")  # how names of OpenAI's models begin: the default model answers
EVENTS = "text/event-stream"


class LenientForm(DecodingForm):
    """Fields of a client that knows OpenAI's interface: what is null is left out, and what means
    nothing for sounds is ignored."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if value is not None}

    @field_validator("temperature")
    @classmethod
    def _own_temperature(cls, value: float | None) -> float | None:
        """0 is the interface's word for the model's own."""
        return value or None


def served(service: Service, name: str | None) -> str:
    """The model of this service that is meant by ``name``, if there is one."""
    is_theirs = name not in service.names and (name or "").startswith(THEIRS)
    return service.names[0] if is_theirs or not name else name


def pieces(text: str) -> list[str]:
    """The words of ``text``, with the spaces before them; together they are the text."""
    return re.findall(r"\s*\S+(?:\s+$)?", text)


def events(values: Iterable[Any], end: str | None = None) -> StreamingResponse:
    """Server-sent events, one per value, as JSON; then ``end``, as it is."""

    def lines() -> Iterator[str]:
        for value in values:
            yield f"data: {json.dumps(value)}\n\n"
        if end is not None:
            yield f"data: {end}\n\n"

    return StreamingResponse(
        lines(), media_type=EVENTS, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
