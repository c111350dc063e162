"""Times of a recording for people."""

from __future__ import annotations

from auricle.clock import clock


def test_whole_seconds_are_rounded():
    assert [clock(s) for s in (0, 5, 59.6, 90)] == ["0:00", "0:05", "1:00", "1:30"]
    assert [clock(s) for s in (3599.7, 36_000)] == ["1:00:00", "10:00:00"]


def test_decimals_are_rounded_too():
    assert [clock(s, 1) for s in (0, 3.21, 59.96, 61, 3599.99)] == [
        *("0:00.0", "0:03.2", "1:00.0", "1:01.0", "1:00:00.0"),
    ]


def test_hours_can_always_be_shown():
    assert [clock(s, hours=True) for s in (0, 61, 36_000)] == ["0:00:00", "0:01:01", "10:00:00"]
