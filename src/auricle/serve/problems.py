"""Problems: the answers to requests that cannot be met, in the shape of OpenAI's errors."""

from __future__ import annotations

import logging
import math
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from auricle.errors import AudioError, AuricleError, DecoderDied

LOG = logging.getLogger("auricle.serve")


class RequestError(AuricleError):
    """A request that is refused; ``message`` names the input, the rule and the fix.

    ``param``: the field that is wrong; ``retry_after_s``: when to come again.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        param: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param = status, code, param
        self.retry_after_s = retry_after_s

    def response(self) -> JSONResponse:
        return problem(self.status, self.code, str(self), self.param, self.retry_after_s)


class Problem(BaseModel):
    """Why a request failed."""

    message: str
    type: str = "invalid_request_error"
    code: str
    param: str | None = None


class ProblemBody(BaseModel):
    """The body of every answer that is no success."""

    error: Problem

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "error": {
                        "message": "a.wav: the file is empty (0 bytes); give one with sound in it",
                        "type": "invalid_request_error",
                        "code": "unusable_recording",
                        "param": None,
                    }
                }
            ]
        }
    }


_MEANINGS = {
    400: "The request is broken.",
    401: "The API key is missing or wrong.",
    403: "The request comes from a page of another site.",
    404: "There is no such thing.",
    408: "The request came too slowly.",
    413: "The request, or a recording in it, is too large.",
    416: "The range begins behind the end of the file.",
    422: "A recording or a setting cannot be used.",
    429: "Too much is waiting; come again after `Retry-After` seconds.",
    503: "The service is ending, or its index cannot be read now.",
}


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI document: these answers, and those that every route may give."""
    every = {*statuses, 400, 401, 403}
    return {
        status: {"model": ProblemBody, "description": _MEANINGS[status]} for status in sorted(every)
    }


def problem(
    status: int,
    code: str,
    message: str,
    param: str | None = None,
    retry_after_s: float | None = None,
) -> JSONResponse:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    body = {"error": {"message": message, "type": kind, "code": code, "param": param}}
    headers = {}
    if retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, status, headers)


def of_recording(error: AudioError) -> dict[str, Any]:
    """The problem of one recording among others."""
    return {"code": _code(error), "message": str(error)}


def _code(error: AuricleError) -> str:
    if isinstance(error, DecoderDied):
        return "decoder_died"
    return "unusable_recording" if isinstance(error, AudioError) else "invalid_setting"


def add_problems(app: FastAPI) -> None:
    """Every exception becomes a `ProblemBody`; an unexpected one tells nothing of the inside."""

    @app.exception_handler(RequestError)
    async def refused(request: Request, error: RequestError) -> Response:
        return error.response()

    @app.exception_handler(AuricleError)
    async def unusable(request: Request, error: AuricleError) -> Response:
        return problem(422, _code(error), str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query"))
        reason = str(first["msg"]).removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            reason = "there is no such field; see /openapi.json"
        return problem(422, "invalid_setting", f"{place or 'body'}: {reason}", place or None)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        codes = {404: "not_found", 405: "method_not_allowed"}
        answer = problem(
            error.status_code, codes.get(error.status_code, "bad_request"), str(error.detail)
        )
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        LOG.error("unexpected error", exc_info=error)
        return problem(500, "internal_error", "the service failed; its log says why")
