"""The allocator: memory that is free goes back to the system during long work."""

from __future__ import annotations

import ctypes
import functools

LARGE = 2**20  # bytes
M_MMAP_THRESHOLD = -3  # of glibc's malloc.h


def map_large_blocks() -> None:
    """Let every block of `LARGE` or more come from the system and go back at once, in this whole
    process: long work then needs less memory, and somewhat more time."""
    if library := _glibc():
        library.mallopt(M_MMAP_THRESHOLD, LARGE)


def trim() -> None:
    """Give free memory back, where the C library can (glibc).

    Between batches of different sizes the heap falls into pieces, and without this its size grows
    by a fifth within hours of sound. It takes milliseconds.
    """
    if library := _glibc():
        library.malloc_trim(0)


@functools.cache
def _glibc() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(None)
        return library if library.malloc_trim and library.mallopt else None
    except (OSError, AttributeError, TypeError):  # another C library; Windows
        return None
