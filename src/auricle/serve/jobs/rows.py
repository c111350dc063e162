"""Rows of the store of jobs: a job, its events, and the tables that hold them."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

State: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]
UNFINISHED = "('queued', 'running')"

TABLES = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY,  -- their order
    id TEXT NOT NULL UNIQUE,
    audio TEXT NOT NULL,         -- the client's name of the recording
    request TEXT NOT NULL,       -- JSON: the fields of the form
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,  -- how often it was begun
    bytes INTEGER NOT NULL,      -- of the upload
    created REAL NOT NULL,       -- seconds since 1970
    started REAL,
    finished REAL,
    expires REAL,
    duration_s REAL,
    last INTEGER NOT NULL DEFAULT 0,      -- number of its last event
    error TEXT                   -- JSON
);
CREATE INDEX states ON jobs (state, number);
CREATE TABLE events (
    job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL,          -- JSON
    PRIMARY KEY (job, number)
);
-- Of progress, the latest alone is kept.
CREATE UNIQUE INDEX progress ON events (job) WHERE kind = 'progress';
"""
PROGRESS = "(SELECT data FROM events WHERE job = jobs.number AND kind = 'progress') AS progress"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a job's clients are told; ``data`` is JSON."""

    number: int
    kind: str
    data: str


@dataclass(frozen=True, slots=True)
class Job:
    """A row of the table above, and the latest progress."""

    number: int
    id: str
    audio: str
    request: str
    state: State
    attempts: int
    bytes: int
    created: float
    started: float | None
    finished: float | None
    expires: float | None
    duration_s: float | None
    last: int
    error: str | None
    progress: str | None

    @property
    def is_finished(self) -> bool:
        return self.finished is not None

    def status(self) -> dict[str, Any]:
        """What its clients see, without the result, as plain values."""
        request = json.loads(self.request)
        return {
            "id": self.id,
            "state": self.state,
            "audio": self.audio,
            "tasks": request["task"],
            "models": request["model"],
            "duration_s": self.duration_s,
            "created": _utc(self.created),
            "started": _utc(self.started),
            "finished": _utc(self.finished),
            "expires": _utc(self.expires),
            "progress": json.loads(self.progress or "null"),
            "error": json.loads(self.error or "null"),
        }


COLUMNS = ", ".join([*(one.name for one in fields(Job) if one.name != "progress"), PROGRESS])


def _utc(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    told = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return told.replace("+00:00", "Z")
