"""The order of a job: the fields of its form, which are kept with it."""

from __future__ import annotations

from typing import Literal, Self, TypeAlias

from fastapi import UploadFile
from pydantic import Field

from auricle.serve.forms import SpanForm
from auricle.serve.problems import RequestError
from auricle.serve.service import Service

Task: TypeAlias = Literal["caption", "timeline", "picture"]


class Order(SpanForm):
    """What is done with the recording, by which models, and their settings."""

    task: list[Task] = Field(
        ["timeline"],
        description="caption: a sentence about the whole; timeline: one per event or scene;"
        " picture: its waveform and spectrogram. Repeat it for more.",
    )
    model: list[str] = Field(  # type: ignore[assignment]
        [], description="See /v1/models; repeat it for more; the first is the default."
    )
    words: bool = Field(False, description="Of each caption: when the model hears each word.")
    explain: bool = Field(False, description="Compute every term of every candidate.")

    def checked(self, service: Service) -> Self:
        """The order with the names of its models; nothing in it is twice.

        Raises:
            RequestError: a model is not served, or a setting cannot be used by it.
        """
        if self.words and "caption" not in self.task:
            raise RequestError(
                422, "invalid_setting", "words are those of captions; add task=caption", "words"
            )
        models = list(dict.fromkeys(self.model or service.names[:1]))
        for name in models:
            self.decoding(service.captioner(name), self.explain)
        _ = self.options
        return self.model_copy(update={"task": list(dict.fromkeys(self.task)), "model": models})


class JobForm(Order):
    """The fields of a request for a job."""

    file: UploadFile = Field(description="The recording, of any length.")

    def order(self) -> Order:
        return Order.model_construct(**self.model_dump(exclude={"file"}))
