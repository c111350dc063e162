"""The page that people meet at `/`: files of the package's folder `static`, and no other."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request, Response

from auricle.serve.problems import RequestError

MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
}


@cache
def static_files() -> dict[str, tuple[bytes, str, str]]:
    """Name -> (content, media type, ETag) of all files of the page."""
    found = {}
    for file in files("auricle.serve").joinpath("static").iterdir():
        kind = MEDIA_TYPES.get(file.name.rpartition(".")[2])
        if kind and file.is_file():
            content = file.read_bytes()
            found[file.name] = content, kind, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return found


def router() -> APIRouter:
    """`/` and `/static/NAME`; a browser asks whether its copy of a file is still the same."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/", methods=["GET", "HEAD"])
    def index(request: Request) -> Response:
        return _file("index.html", request)

    @routes.api_route("/static/{name}", methods=["GET", "HEAD"])
    def static(name: str, request: Request) -> Response:
        return _file(name, request)

    return routes


def _file(name: str, request: Request) -> Response:
    if name not in static_files():
        raise RequestError(404, "not_found", "there is no such file")
    content, kind, tag = static_files()[name]
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    known = request.headers.get("If-None-Match", "")
    if tag in [one.strip().removeprefix("W/") for one in known.split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=kind, headers=headers)
