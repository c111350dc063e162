"""Results come in order; what hangs in a thread keeps neither the caller nor the process."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from auricle.audio.lookahead import in_order

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


def test_an_interruption_ends_the_process_though_a_thread_hangs():
    subprocess.run([sys.executable, "-c", HANGS], check=True, timeout=20)
