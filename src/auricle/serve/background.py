"""Background: threads for long work, which give way to short requests."""

from __future__ import annotations

import contextlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor

NICE = 10  # a tenth of a busy processor: long work goes on, and hardly slows short work


def low_priority() -> None:
    """Let this thread, and those that it starts, compute behind others, where the system can."""
    with contextlib.suppress(AttributeError, OSError):  # Linux: the priority is a thread's own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


def background(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "background", low_priority)
