"""Text from outside, such as file names, made harmless for a terminal and for one line of text."""

from __future__ import annotations

import re

# Control characters (terminals obey them), line and paragraph separators, marks that turn the
# direction of writing (a name then reads as another one) or are not seen, and bytes that are not
# Unicode.
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff"
    r"\ud800-\udfff]"
)
_SHORT = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


def printable(text: str) -> str:
    r"""``text`` on one line, with escapes in place of what does not print: \n, \x1b, \u202e. A byte
    of a name that is not Unicode is \x and its two digits."""
    return _UNPRINTABLE.sub(_escape, text)


def printable_lines(text: str) -> str:
    """``text`` on as many lines as it has, each `printable`."""
    return "\n".join(map(printable, text.split("\n")))


def printable_json(text: str) -> str:
    r"""JSON, with \u escapes in place of what does not print but its line ends; its value stays."""
    lines = text.split("\n")
    return "\n".join(_UNPRINTABLE.sub(lambda c: f"\\u{ord(c[0]):04x}", line) for line in lines)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte that it cannot decode (PEP 383)
        code -= 0xDC00
    return _SHORT.get(found[0], f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
