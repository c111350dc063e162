"""Requests to a service, and the problems in its answers."""

from __future__ import annotations

from pathlib import Path

import httpx


def files(*paths: Path) -> list:
    return [("file", (path.name, path.read_bytes())) for path in paths]


def error_of(answer: httpx.Response) -> dict:
    found = answer.json()["error"]
    assert set(found) == {"message", "type", "code", "param"}
    return found
