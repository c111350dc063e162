"""Recordings of many requests share a batch; the oldest come first, and failures stay apart."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from auricle.errors import AuricleError
from auricle.serve.engine import Engine


class Slow:
    """A captioner that notes its batches, and waits for `go`."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.go = threading.Event()
        self.entered = threading.Event()

    def stream(self, recordings, decoding, *, batch_size):
        names = list(recordings)
        self.batches.append(names)
        self.entered.set()
        assert self.go.wait(5)
        for name in names:
            if name == "broken":
                raise MemoryError("too much")
            yield SimpleNamespace(caption=f"{name} by {decoding}")


@pytest.fixture
def slow():
    return Slow()


def test_what_arrives_while_a_batch_computes_is_the_next_batch(slow):
    with Engine(4, 0.0) as engine:
        first = engine.submit(slow, "a", "one")
        assert slow.entered.wait(5)
        others = [engine.submit(slow, "a", name) for name in ("two", "three", "four")]
        assert len(engine) == 3
        slow.go.set()
        assert [one.result(5).caption for one in (first, *others)] == [
            *("one by a", "two by a", "three by a", "four by a")
        ]
    assert slow.batches == [["one"], ["two", "three", "four"]]


def test_an_idle_engine_waits_for_company(slow):
    slow.go.set()
    with Engine(2, 5.0) as engine:
        begun = time.monotonic()
        found = [engine.submit(slow, "a", name) for name in ("one", "two")]
        assert [one.result(5).caption for one in found] == ["one by a", "two by a"]
        assert time.monotonic() - begun < 4  # a full batch does not wait
    assert slow.batches == [["one", "two"]]


def test_other_settings_are_another_batch_and_the_oldest_comes_first(slow):
    with Engine(8, 0.0) as engine:
        engine.submit(slow, "a", "zero")
        assert slow.entered.wait(5)
        for name, decoding in (("one", "b"), ("two", "a"), ("three", "b")):
            last = engine.submit(slow, decoding, name)
        slow.go.set()
        last.result(5)
    assert slow.batches == [["zero"], ["one", "three"], ["two"]]


def test_without_batching_each_is_alone(slow):
    slow.go.set()
    with Engine(1, 0.0) as engine:
        for one in [engine.submit(slow, "a", str(number)) for number in range(5)]:
            one.result(5)
    assert slow.batches == [["0"], ["1"], ["2"], ["3"], ["4"]]


def test_a_failure_is_that_of_its_batch_and_the_engine_goes_on(slow):
    with Engine(4, 0.0) as engine:
        first = engine.submit(slow, "a", "first")
        assert slow.entered.wait(5)
        good, bad = engine.submit(slow, "a", "good"), engine.submit(slow, "a", "broken")
        slow.go.set()
        assert first.result(5).caption == "first by a"
        assert good.result(5).caption == "good by a"
        with pytest.raises(MemoryError):
            bad.result(5)
        assert engine.submit(slow, "a", "after").result(5).caption == "after by a"


def test_a_cancelled_request_is_not_computed(slow):
    with Engine(4, 0.0) as engine:
        engine.submit(slow, "a", "first")
        assert slow.entered.wait(5)
        gone, other = engine.submit(slow, "a", "gone"), engine.submit(slow, "a", "other")
        assert gone.cancel()
        slow.go.set()
        other.result(5)
    assert slow.batches == [["first"], ["other"]]


def test_the_end_finishes_what_waits_and_takes_no_more(slow):
    with Engine(4, 0.0) as engine:
        engine.submit(slow, "a", "first")
        assert slow.entered.wait(5)
        waits = engine.submit(slow, "a", "second")
        threading.Timer(0.05, slow.go.set).start()
    assert waits.result(0).caption == "second by a"
    with pytest.raises(AuricleError, match="ended"):
        engine.submit(slow, "a", "late")


def test_batches_are_watched(slow):
    slow.go.set()
    seen = []
    with Engine(4, 0.0, lambda number, seconds: seen.append((number, seconds >= 0))) as engine:
        engine.submit(slow, "a", "one").result(5)
    assert seen == [(1, True)]
