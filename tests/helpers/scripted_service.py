"""A service without models, for tests of the page: the same paths, with results from a script."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.requests import ClientDisconnect

from auricle.records import Candidate, Caption
from auricle.serve import page
from auricle.serve.config import ServiceConfig
from auricle.serve.guard import headers
from auricle.serve.problems import add_problems, problem
from auricle.serve.run import address_of, listening
from tests.helpers import scripted_search

TEXTS = ("a woman is speaking", "a crowd of people applauding", "a door slams & someone <laughs>")
CAPTION = "a woman speaks and a crowd applauds"


@dataclass
class Script:
    """What the service does; a test changes what it is about.

    Attributes:
        key: that a request must have.
        busy: times that an order is refused with 429.
        refusal: (status, code, message) for every order.
        failure: the job ends with this error after its picture.
        hold: the job stops after so many events, until it is cancelled.
        cut: the first connection ends after so many events, without an end.
        spans: number of records in the timeline.
        columns: of the picture.
        sounds: in the index; None if there is none.
        gone: ids of sounds whose files are not there any more.
    """

    key: str | None = None
    models: tuple[str, ...] = ("tiny", "clotho")
    max_upload_mb: float = 2.0
    duration_s: float = 8.0
    caption: str = CAPTION
    confidence: float | None = 0.62
    spans: int = 3
    columns: int = 800
    busy: int = 0
    refusal: tuple[int, str, str] | None = None
    failure: str | None = None
    hold: int | None = None
    cut: int | None = None
    note: str | None = None
    sounds: int | None = None
    gone: tuple[int, ...] = ()


@dataclass
class ScriptedJob:
    status: dict[str, Any]
    events: list[tuple[str, Any]]
    cancelled: threading.Event = field(default_factory=threading.Event)


class ScriptedService:
    """``with ScriptedService() as stub``: answers at ``stub.url``.

    Attributes:
        orders: the fields of each order, (name, value), in their order.
        uploads: the bytes of each recording, by its name.
        searches: the fields of each search.
        asked: (method, path, headers) of each request.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self, **script: Any) -> None:
        self.script = Script(**script)
        self.jobs: dict[str, ScriptedJob] = {}
        self.orders: list[list[tuple[str, Any]]] = []
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.deleted: list[str] = []
        self.uploads: dict[str, bytes] = {}
        self.searches: list[dict[str, Any]] = []

    def __enter__(self) -> ScriptedService:
        self._listening = listening("127.0.0.1", 0)
        listener = self._listening.__enter__()
        self.url = address_of(listener)
        config = uvicorn.Config(self._app(), log_level="error", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        run = {"target": self._server.run, "args": ([listener],)}
        self._thread = threading.Thread(**run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._listening.__exit__(None, None, None)

    def _app(self) -> FastAPI:
        app, ids = FastAPI(), itertools.count(1)
        security = [(name.decode(), value.decode()) for name, value in headers(ServiceConfig())]
        app.include_router(page.router())
        add_problems(app)
        app.include_router(scripted_search.router(self))

        @app.middleware("http")
        async def guard(request: Request, call_next: Any) -> Response:
            path = request.url.path
            self.asked.append((request.method, path, dict(request.headers)))
            given = request.headers.get("authorization")
            if path.startswith("/v1/") and self.script.key and given != f"Bearer {self.script.key}":
                answer: Response = problem(401, "invalid_api_key", "the API key is wrong")
            else:
                answer = await call_next(request)
            for name, value in security:
                answer.headers.setdefault(name, value)
            return answer

        @app.get("/v1/models")
        def models() -> dict[str, Any]:
            return {"object": "list", "data": [{"id": name} for name in self.script.models]}

        @app.get("/v1/limits")
        def limits() -> dict[str, Any]:
            return {
                "max_upload_mb": self.script.max_upload_mb,
                "max_duration_s": 14_400.0,
                "search": self.script.sounds is not None,
            }

        @app.post("/v1/jobs")
        async def order(request: Request) -> Response:
            try:
                form = await request.form()
            except ClientDisconnect:
                return Response(status_code=400)
            fields = [(name, getattr(one, "filename", one)) for name, one in form.multi_items()]
            self.orders.append(fields)
            sent: Any = form["file"]
            self.uploads[sent.filename] = await sent.read()
            if self.script.busy:
                self.script.busy -= 1
                return problem(429, "too_many_jobs", "come again later", retry_after_s=1)
            if self.script.refusal:
                status, code, message = self.script.refusal
                return problem(status, code, message)
            chosen = [value for name, value in fields if name == "model"] or ["tiny"]
            job = self._job(f"job-{next(ids)}", dict(fields)["file"], chosen)
            self.jobs[job.status["id"]] = job
            return JSONResponse(job.status, 202)

        @app.get("/v1/jobs/{name}/events")
        async def events(name: str, request: Request) -> Response:
            if name not in self.jobs:
                return problem(404, "job_not_found", "there is no such job")
            after = int(request.headers.get("last-event-id", 0))
            return StreamingResponse(
                self._stream(self.jobs[name], after), media_type="text/event-stream"
            )

        @app.delete("/v1/jobs/{name}")
        def end(name: str) -> Response:
            if name not in self.jobs:
                return problem(404, "job_not_found", "there is no such job")
            self.deleted.append(name)
            self.jobs[name].cancelled.set()
            return Response(status_code=204)

        return app

    async def _stream(self, job: ScriptedJob, after: int) -> AsyncIterator[str]:
        for number, (kind, data) in enumerate(job.events, 1):
            if number <= after:
                continue
            yield f"id: {number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"
            await asyncio.sleep(0)
            if self.script.cut == number:
                self.script.cut = None
                return
            while self.script.hold == number:
                await asyncio.sleep(0.02)
                if job.cancelled.is_set():
                    ended = {**job.status, "state": "cancelled"}
                    yield f"id: {number + 1}\nevent: end\ndata: {json.dumps(ended)}\n\n"
                    return

    def _job(self, name: str, audio: str, models: list[str]) -> ScriptedJob:
        script = self.script
        status = {"id": name, "state": "queued", "audio": audio, "models": models}
        status |= {"duration_s": None, "progress": None, "error": None}
        running = {**status, "state": "running"}
        progress = {"stage": f"caption {models[0]}", "done": 2, "total": 8}
        picture = picture_of(script.duration_s, script.columns)
        events = [("state", status), ("state", running), ("picture", picture)]
        events += [("progress", progress)]
        if script.failure:
            error = {"code": "unusable_recording", "message": script.failure}
            return ScriptedJob(
                status, [*events, ("end", {**status, "state": "failed", "error": error})]
            )
        events += [("note", script.note)] if script.note else []
        for model in models:
            events += [("caption", self._caption(audio, model).to_dict())]
        events += [("words", self._words(audio, model)) for model in models]
        for model in models:
            events += [("timeline", one.to_dict()) for one in self._timeline(audio, model)]
        return ScriptedJob(status, [*events, ("end", {**status, "state": "done"})])

    def _caption(self, audio: str, model: str) -> Caption:
        text = self.script.caption
        texts = [text, "a woman is speaking", "a woman speaks and claps claps", "people applaud"]
        reasons = [None, "score 0.014 below", "not fluent: a word is repeated", "score 0.2 below"]
        candidates = tuple(
            Candidate(text, -0.6 - n / 10, 0.5 - n / 20, 0.2 - n / 30, n != 2, fluency=0.9 - n / 5,
                      count=4 - n, reason=reason)
            for n, (text, reason) in enumerate(zip(texts, reasons, strict=True))
        )  # fmt: skip
        span = (0.0, self.script.duration_s)
        how = ("nucleus", 0, self.script.confidence)
        return Caption(audio, *span, text, candidates[0].score, candidates, model, *how)

    def _words(self, audio: str, model: str) -> dict[str, Any]:
        words, steps = self.script.caption.split(), 8
        places = np.linspace(0.5, steps - 1.5, len(words))
        weights = np.exp(-((np.arange(steps) - places[:, None]) ** 2))
        weights /= weights.sum(axis=1, keepdims=True)
        span = {"start_s": 0.0, "end_s": self.script.duration_s}
        found = {"model": model, "audio": audio, "words": words, **span}
        return found | {"weights": weights.tolist()}

    def _timeline(self, audio: str, model: str) -> list[Caption]:
        step = self.script.duration_s / self.script.spans
        return [
            Caption(
                audio, round(n * step + 0.1, 3), round((n + 0.9) * step, 3), TEXTS[n % 3], 0.1, (),
                model, "nucleus", 0, round(0.3 + 0.2 * (n % 3), 2),
            )
            for n in range(self.script.spans)
        ]  # fmt: skip


def picture_of(duration_s: float, columns: int) -> dict[str, Any]:
    """Bursts of sound, and a spectrogram of two rising tones."""
    x = np.linspace(0, 1, columns)
    loud = np.round(110 * np.abs(np.sin(9 * x)) * (0.6 + 0.4 * np.sin(200 * x) ** 2)).astype(int)
    rows = np.arange(64)[:, None]
    tones = np.exp(-((rows - 12 - 10 * x) ** 2) / 12) + 0.6 * np.exp(-((rows - 40) ** 2) / 60)
    pixels = (200 * tones * np.abs(np.sin(9 * x)) + 30).clip(0, 255).astype(np.uint8)
    return {
        "duration_s": duration_s,
        "column_s": duration_s / columns,
        "lows": (-loud).tolist(),
        "highs": loud.tolist(),
        "spectrogram": {
            "rows": 64,
            "columns": columns,
            "data": base64.b64encode(pixels.tobytes()).decode(),
        },
        "marks": [[250, 0.14], [1000, 0.36], [4000, 0.73]],
    }
