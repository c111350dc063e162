"""Recordings whose decoders run in processes of their own, as in the service."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from auricle.audio.isolated import Decoders
from auricle.audio.load import load_audio
from tests.fuzz import audio
from tests.fuzz.reader import Reader


@cache
def _decoders() -> Decoders:
    return Decoders(1)


def read(path: Path) -> None:
    load_audio(_decoders().source(path, path.name), audio.RATE_HZ, end_s=audio.HEARD_S)


READER = Reader(audio.write, read)
