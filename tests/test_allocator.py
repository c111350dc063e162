"""Free memory goes back to the system."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from auricle.allocator import trim

STATUS = Path("/proc/self/statm")


@pytest.mark.skipif(not STATUS.exists() or sys.platform != "linux", reason="needs Linux's /proc")
def test_free_memory_goes_back():
    def resident() -> int:
        return int(STATUS.read_text(encoding="ascii").split()[1]) * 4096

    blocks = [np.ones(12_000, np.uint8) for _ in range(8_000)]  # 96 MB below the mmap threshold
    kept = blocks[::1000]  # the heap cannot shrink at its end
    full = resident()
    del blocks
    trim()
    assert full - resident() > 40e6
    assert kept
