"""Mixing of two recordings into one, as mix-up captions describe it (Wu et al., ICASSP 2024).

A manifest's row is a mix-up if it has the key

    "mix": {"audio": path, "start_s"?, "end_s"?, "level_db"?, "offset_s"?, "relation"?}

beside its own ``audio``, the first recording. A missing level or offset is drawn each time the clip
is read. The relation is "together" (the default: the longer one contains the other) or "followed
by" (the second starts where the first ends).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from auricle.audio.level import level_dbfs, within_full_scale

if TYPE_CHECKING:
    import numpy as np

LEVEL_RANGE_DB = 5.0  # published: the levels differ by -5 to +5 dB
SILENCE_DBFS = -80.0  # below it there is only dither to amplify
FADE_S = 0.01  # fade out of the first, into the second: a step would sound like a click


def draw(*seed: int | str, range_db: float = LEVEL_RANGE_DB) -> tuple[float, float]:
    """(``level_db``, ``offset``) for `mix`: uniform over ±``range_db`` and over [0, 1).

    A pure function of ``seed`` (for example run, epoch and clip), equal in every process.
    """
    digest = hashlib.blake2b(repr(seed).encode("utf-8", "backslashreplace"), digest_size=16)
    level, offset = (
        (int.from_bytes(half) >> 11) / 2**53  # the bits of a float64 below 1
        for half in (digest.digest()[:8], digest.digest()[8:])
    )
    return (2 * level - 1) * range_db, offset


def mix(first: np.ndarray, second: np.ndarray, level_db: float, offset: float) -> np.ndarray:
    """Both waveforms, float32 [L1] and [L2], in one with the length of the longer.

    The second is scaled so that the first's RMS is ``level_db`` above its own, whichever is longer
    (the published code scales the wrong one if the second is longer: its quirk 7). The shorter one
    starts at ``offset``, 0 to 1, of the difference in length. If one is silent, nothing is scaled.
    A mix with a peak above 1 is scaled down to 1, which keeps the difference of levels.
    """
    import numpy as np

    second = _scaled(first, second, level_db)
    longer, shorter = (first, second) if len(first) >= len(second) else (second, first)
    start = round(offset * (len(longer) - len(shorter)))
    mixed = longer.astype(np.float32)  # a copy
    mixed[start : start + len(shorter)] += shorter
    return within_full_scale(mixed)


def follow(first: np.ndarray, second: np.ndarray, level_db: float, fade: int = 0) -> np.ndarray:
    """``second`` after ``first``, float32 [L1] and [L2] -> [L1 + L2], with levels as in `mix`.

    The last ``fade`` samples of the first fade out; the first ones of the second fade in.
    """
    import numpy as np

    joined = np.concatenate([first, _scaled(first, second, level_db)]).astype(np.float32)
    fade = min(fade, len(first), len(second))
    ramp = (np.arange(fade, dtype=np.float32) + 0.5) / max(1, fade)
    joined[len(first) - fade : len(first)] *= ramp[::-1]
    joined[len(first) : len(first) + fade] *= ramp
    return within_full_scale(joined)


def shares_of_time(lengths: tuple[int, int], longest: int) -> tuple[int, int]:
    """The samples to keep of two recordings that follow each other in at most ``longest`` samples.

    Both are cut to half of it; a shorter one leaves its rest to the other. Captions describe both;
    a cut at the end alone would often remove the whole second one.
    """
    first, second = lengths
    first = min(first, max(longest // 2, longest - second))
    return first, min(second, longest - first)


def share_of_room(offset_s: float, samples: tuple[int, int], sample_rate_hz: int) -> float:
    """``Mix.offset_s`` as the ``offset`` of `mix`, for recordings of two lengths. If the shorter
    one would pass the end of the longer, both end together."""
    room = abs(samples[0] - samples[1])
    return min(1.0, offset_s * sample_rate_hz / room) if room else 0.0


def _scaled(first: np.ndarray, second: np.ndarray, level_db: float) -> np.ndarray:
    """``second`` with an RMS ``level_db`` below that of ``first``; unchanged if one is silent."""
    levels = level_dbfs(first), level_dbfs(second)
    if min(levels) <= SILENCE_DBFS:
        return second
    return second * 10 ** ((levels[0] - level_db - levels[1]) / 20)
