"""Locks of open files, which end with their process, however it ends."""

from __future__ import annotations

import contextlib
from typing import IO, Any


def lock(file: IO[Any], wait: bool = False) -> bool:
    """Lock an open file until it is closed or its process ends, however it ends; False if another
    process has it, unless this is to ``wait``. Where a system or file system has no locks, every
    process gets it."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def lock_byte(file: IO[Any], place: int, wait: bool = False) -> bool:
    """Lock the byte at ``place`` of an open file, which need not have as many, as `lock` does a
    whole one. Other descriptors of the file must not be closed by this process meanwhile, for that
    ends its locks."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, place)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True


def unlock_byte(file: IO[Any], place: int) -> None:
    """End a lock of `lock_byte`."""
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.lockf(file, fcntl.LOCK_UN, 1, place)
