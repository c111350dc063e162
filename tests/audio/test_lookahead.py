"""Results come in order; what hangs in a thread keeps neither the caller nor the process."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from auricle.audio.lookahead import ahead, in_order

HANGS = """
import time
from auricle.audio.lookahead import in_order
found = in_order(lambda item: item and time.sleep(60), range(9), 2)
next(found)
try:
    raise KeyboardInterrupt
except KeyboardInterrupt:
    found.close()
"""


@pytest.mark.parametrize("workers", [1, 3, 10**23])
def test_results_are_in_order_and_errors_in_their_place(workers):
    def slow_at_first(item):
        time.sleep(0.01 / (1 + item))
        return 1 / (5 - item)

    found = in_order(slow_at_first, range(9), workers)
    assert [next(found) for _ in range(5)] == [1 / (5 - item) for item in range(5)]
    with pytest.raises(ZeroDivisionError):
        next(found)


@pytest.mark.parametrize(("most", "taken"), [(None, 4), (3, 3), (20, 20)])
def test_no_more_than_so_many_are_begun_before_the_first_is_taken(most, taken):
    items = iter(range(100))
    found = in_order(str, items, 1, most)
    assert next(found) == "0"
    assert next(items) == taken


def test_an_interruption_ends_the_process_though_a_thread_hangs():
    subprocess.run([sys.executable, "-c", HANGS], check=True, timeout=20)


class Counted:
    """Numbers, with how many were taken and whether their generator was closed."""

    def __init__(self, most: int = 10**9, error: BaseException | None = None) -> None:
        self.taken, self.closed, self._most, self._error = 0, False, most, error

    def __iter__(self):
        try:
            for number in range(self._most):
                self.taken += 1
                yield number
            if self._error:
                raise self._error
        finally:
            self.closed = True


def wait_until(condition) -> bool:
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


@pytest.mark.parametrize("most", [1, 3])
def test_items_come_in_order_and_no_more_than_so_many_ahead(most):
    items = Counted(50)
    found = ahead(items, most)
    assert next(found) == 0
    assert wait_until(lambda: items.taken >= most + 1)
    time.sleep(0.05)
    assert items.taken <= 1 + most + 1  # given, waiting, and in the hands of the thread
    assert list(found) == [*range(1, 50)]
    assert items.closed


def test_an_error_comes_after_the_items_before_it():
    found = ahead(Counted(3, OSError("gone")), 2)
    assert [next(found) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="gone"):
        next(found)


@pytest.mark.parametrize("given", [0, 1, 5])
def test_a_reader_that_stops_ends_the_thread_and_closes_the_items(given):
    before = threading.active_count()
    for _ in range(20):
        items = Counted()
        found = ahead(items, 2)
        for _ in range(given):
            next(found)
        found.close()
        assert wait_until(lambda items=items: items.closed or not items.taken)
    assert wait_until(lambda: threading.active_count() <= before)


def test_a_reader_that_stops_does_not_wait_for_an_item_that_hangs():
    hangs = threading.Event()

    def items():
        yield 1
        hangs.wait(30)
        yield 2

    found = ahead(items(), 2)
    next(found)
    begin = time.monotonic()
    found.close()
    assert time.monotonic() - begin < 3
    hangs.set()
