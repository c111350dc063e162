"""The judge: what came of reading an input."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from auricle.errors import AuricleError
from auricle.printable import printable
from tests.fuzz.reader import Reader

HANG_S = 10.0  # of processor time, for the machine may be busy
MOST_MB = 1000  # more than before
LONGEST = 2000  # characters of a message
FINE = ("read", "refused")


@dataclass(frozen=True)
class Outcome:
    """``kind``: read or refused, or the name of a fault; ``seconds``: of processor time."""

    kind: str
    detail: str = ""
    seconds: float = 0.0
    peak_mb: float = 0.0


def judged(reader: Reader, path: Path) -> Outcome:
    """The outcome of reading ``path``, in this process."""
    forget_peak()
    before_mb, began = memory_mb("VmRSS"), time.process_time()
    kind, detail = "read", ""
    try:
        reader.read(path)
    except AuricleError as error:
        kind, detail = "refused", str(error)
        if detail != printable(detail) or len(detail) > LONGEST:
            kind = "no single line"
        elif reader.named and path.name not in detail and path.parent.name not in detail:
            kind = "unnamed"
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # panics of Rust are no Exceptions
        frames = traceback.extract_tb(error.__traceback__)
        places = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in frames[:-5:-1])
        kind, detail = type(error).__name__, f"{str(error)[:200]!r} ({places})"
    seconds, peak_mb = time.process_time() - began, memory_mb("VmHWM")
    if kind in FINE and seconds > HANG_S:
        kind = "hang"
    if kind in FINE and peak_mb - before_mb > MOST_MB:
        kind = "memory"
    return Outcome(kind, detail, seconds, peak_mb)


def forget_peak() -> None:
    """The peak of this process's memory begins anew."""
    Path("/proc/self/clear_refs").write_text("5")


def memory_mb(name: str) -> float:
    """A line of /proc/self/status: VmRSS, now; VmHWM, at the most."""
    status = Path("/proc/self/status").read_text()
    return (int(status.partition(f"{name}:")[2].split()[0]) << 10) / 1e6
