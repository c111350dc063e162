"""Checked values of a manifest's row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from auricle.errors import DataError


def seconds(row: Mapping[str, Any], key: str) -> float | None:
    """``row[key]`` in seconds, None where it is left out; DataError unless finite, 0 or more."""
    value = finite(row, key, "a number of seconds, 0 or more")
    if value is not None and value < 0:
        raise DataError(f'"{key}" is {value!r}; it must be a number of seconds, 0 or more')
    return value


def finite(row: Mapping[str, Any], key: str, rule: str) -> float | None:
    """``row[key]``, None where it is left out; DataError saying ``rule`` unless a finite number."""
    value = row.get(key)
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value):
        raise DataError(f'"{key}" is {value!r}; it must be {rule}')
    return float(value)


def section(row: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """``start_s`` and ``end_s`` of ``row``; DataError unless the end comes after the start."""
    start_s, end_s = seconds(row, "start_s"), seconds(row, "end_s")
    if end_s is not None and end_s <= (start_s or 0.0):
        raise DataError(f'"end_s" is {end_s}; it must come after "start_s", {start_s or 0.0}')
    return start_s, end_s
