"""Times of a recording for people."""

from __future__ import annotations


def clock(seconds: float, decimals: int = 0, hours: bool = False) -> str:
    """ "0:03", "1:02:03"; with ``decimals`` 1 "0:03.2"; with ``hours`` always "0:00:03"."""
    units = round(seconds * 10**decimals)
    minutes, rest = divmod(units, 60 * 10**decimals)
    hour, minute = divmod(minutes, 60)
    width = 3 + decimals if decimals else 2
    told = f"{rest / 10**decimals:0{width}.{decimals}f}"
    return f"{hour}:{minute:02}:{told}" if hour or hours else f"{minute}:{told}"
