"""Tables on stdout."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def print_table(
    title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], note: str = ""
) -> None:
    """Figures stand to the right; text that is too wide takes several lines."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", caption=note or None, caption_justify="left")
    for number, name in enumerate(columns):
        figures = all(row[number][:1].isdigit() or row[number] == "-" for row in rows)
        table.add_column(name, justify="right" if figures and number else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(file=sys.stdout).print(table)
