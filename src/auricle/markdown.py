"""Markdown: text of others that stays text, and tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape as as_html

from auricle.printable import printable

_MARKS = re.compile(r"[\\`*\[\]|~$]|(?<!\w)_|_(?!\w)")
# What begins a heading, a list or a line under a heading.
_START = re.compile(r"^(\d*)(#{1,6}(?=\s|$)|[+-](?=\s|$)|(?<=\d)[.)](?=\s|$)|-+$|=+$)")


def escape(text: str) -> str:
    """``text`` as one line that shows as it is, without markup, HTML or links of its own."""
    return _START.sub(r"\1\\\2", _inside(text))


def code(text: str) -> str:
    """A block of code that no line of ``text`` ends."""
    fence = max(("```", *(f"{run}`" for run in re.findall("`+", text))), key=len)
    return f"{fence}\n{text}\n{fence}\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: bool = False) -> str:
    """A table of ``rows`` of text; with ``numbers`` all but the first column align right."""
    rule = ["---", *["---:" if numbers else "---"] * (len(columns) - 1)]
    lines = [map(_inside, columns), rule, *(map(_inside, row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _inside(text: str) -> str:
    """``text`` for the inside of a line."""
    shown = printable(" ".join(text.split()))
    return _MARKS.sub(r"\\\g<0>", as_html(shown, quote=False))
