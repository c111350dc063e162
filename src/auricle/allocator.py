"""The allocator: memory that is free goes back to the system during long work."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable


def trim() -> None:
    """Give free memory back, where the C library can (glibc).

    Between batches of different sizes the heap falls into pieces, and without this its size grows
    by a fifth within hours of sound. It takes milliseconds.
    """
    if call := _malloc_trim():
        call(0)


@functools.cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # another C library; Windows
        return None
