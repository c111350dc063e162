"""Tables for stdout or another stream."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO


def print_table(
    title: str,
    columns: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    note: str = "",
    stream: TextIO | None = None,
    compact: bool = False,
) -> None:
    """Print a table: numbers are right-aligned, wide text is wrapped, what does not print is
    escaped.

    ``compact`` leaves out the lines between columns, for tables with many columns.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from auricle.printable import printable, printable_lines

    table = Table(
        title=Text(printable(title)),  # a file name may look like markup
        title_justify="left",
        caption=Text(note) if note else None,
        caption_justify="left",
        box=box.SIMPLE_HEAD if compact else box.HEAVY_HEAD,
        padding=(0, 1, 0, 0) if compact else (0, 1),
        pad_edge=not compact,
    )
    for number, name in enumerate(columns):
        figures = all(_is_figure(row[number]) for row in rows)
        table.add_column(name, justify="right" if figures and number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable_lines(cell)) for cell in row))
    Console(file=stream or sys.stdout).print(table)


def _is_figure(text: str) -> bool:
    return text == "-" or text.removeprefix("-")[:1].isdigit()
