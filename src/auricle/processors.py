"""Processors: how many this process may use, and how its threads wait for one another."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

CGROUPS, OWN_CGROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
THREADS = "OMP_NUM_THREADS"
SPINS = "1000"  # some microseconds; benchmarks/busy_machine.py
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")  # any of them says how to wait


def usable() -> int:
    """Processors that this process may use: what the user says by OMP_NUM_THREADS, else those that
    it may run on, within the limit of its container."""
    with contextlib.suppress(KeyError, ValueError):
        return max(1, int(os.environ[THREADS]))
    return there()


def there() -> int:
    """Processors that this process may run on, within the limit of its container."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return math.ceil(min([found or 1, *container_limits()]))


def share(threads: int | None = None) -> None:
    """Be a good neighbour: call it before torch is imported. Variables that the user set stay,
    except the number of threads if ``threads`` is given.

    OpenMP's threads spin for milliseconds while they wait for one another. Beside another busy
    process they then burn the time in which the thread that they wait for could run. Sleeping at
    once costs as much where nothing else runs, so they spin shortly.
    """
    if not any(name in os.environ for name in WAITING):
        os.environ |= {"GOMP_SPINCOUNT": SPINS, "OMP_WAIT_POLICY": "PASSIVE"}  # GNU's; the others'
    if threads:
        os.environ[THREADS] = str(threads)
    elif THREADS not in os.environ and any(container_limits()):
        os.environ[THREADS] = str(usable())  # torch counts the machine's processors


def container_limits() -> Iterator[float]:
    """Processors that each control group above this process allows it, of those with a limit."""
    for group in _groups():
        for read in (_limit_v2, _limit_v1):
            with contextlib.suppress(OSError, ValueError):
                if limit := read(group):
                    yield limit


def _groups() -> Iterator[Path]:
    """Folders of the control groups of this process, and of those around them."""
    try:
        lines = OWN_CGROUP.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, own = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = CGROUPS / controllers
        # in a container, the path of its own group may be that of the machine
        for path in (PurePosixPath(own), *PurePosixPath(own).parents):
            yield root / str(path).lstrip("/")


def _limit_v2(group: Path) -> float | None:
    quota, period = (group / "cpu.max").read_text().split()
    return None if quota == "max" else int(quota) / int(period)


def _limit_v1(group: Path) -> float | None:
    quota = int((group / "cpu.cfs_quota_us").read_text())
    return quota / int((group / "cpu.cfs_period_us").read_text()) if quota > 0 else None
