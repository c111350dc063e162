"""The application: all routes of the service, behind the guard."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import ASGIApp

from auricle import __version__
from auricle.serve import api, page, search
from auricle.serve.guard import Guard
from auricle.serve.jobs import routes as jobs
from auricle.serve.jobs.runner import Jobs
from auricle.serve.openai import chat, transcriptions
from auricle.serve.problems import add_problems
from auricle.serve.service import Service

DESCRIPTION = """\
Captions of the sounds of recordings, timelines of long ones, jobs, search in an index, and the
shapes of OpenAI's interface.

The fields of a request are the options of the command line, with underscores. Every answer that is
no success has the body `{"error": {"message", "type", "code", "param"}}`.
"""


def create_app(service: Service) -> ASGIApp:
    """The application of a service, for a server such as uvicorn; ``service`` has been entered."""
    app = FastAPI(
        title="auricle",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,  # its scripts lie on other hosts
        redoc_url=None,
    )
    app.include_router(api.router(service))
    app.include_router(jobs.router(service, service.entered(Jobs(service))))
    app.include_router(transcriptions.router(service))
    app.include_router(chat.router(service))
    app.include_router(search.router(service, service.sounds))
    app.include_router(page.router())
    add_problems(app)
    return Guard(app, service)
