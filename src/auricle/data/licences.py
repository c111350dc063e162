"""Short names for licences that data sets give as addresses."""

from __future__ import annotations

import re

_CREATIVE_COMMONS = re.compile(
    r"creativecommons\.org/(?:licenses/(?P<kind>[a-z+-]+)|publicdomain/(?P<free>zero|mark))"
    r"/(?P<version>\d\.\d)?",
    re.IGNORECASE,
)
_FREE = {"zero": "CC0", "mark": "Public Domain"}


def licence_name(text: str) -> str | None:
    """ "http://creativecommons.org/licenses/by-nc/3.0/" -> "CC BY-NC 3.0"; other text unchanged.

    None for empty text.
    """
    if not (found := _CREATIVE_COMMONS.search(text)):
        return text.strip() or None
    if found["free"]:
        name = _FREE[found["free"].lower()]
    elif found["kind"].lower() == "sampling+":
        name = "CC Sampling+"
    else:
        name = f"CC {found['kind'].upper()}"
    return f"{name} {found['version'] or ''}".strip()
