"""Waiting for what a page does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(page: Any, condition: Callable[[], Any], most_s: float = 10.0) -> Any:
    """Wait until ``condition()`` holds, whose value it returns; the page goes on meanwhile.
    Playwright's own way evaluates text in the page, which its security policy forbids."""
    end_s = time.monotonic() + most_s
    while not (found := condition()):
        assert time.monotonic() < end_s, f"not within {most_s:g} s"
        page.wait_for_timeout(20)
    return found


def is_paused(page: Any) -> bool:
    return page.evaluate("document.querySelector('audio').paused")
