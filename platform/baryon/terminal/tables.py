"""Fit tables to a terminal: text is folded between words, numbers are never cut.

Where a terminal is too narrow for a table, its rows are written as blocks of `column: value`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from baryon.interfaces import Table
from baryon.terminal.cells import cell, numeric
from baryon.terminal.console import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

Rows = Sequence[Sequence[str]]

WITH_ERROR = re.compile(r"[(\d.+-]+ [±+-] ?[\d.]")
"""The beginning of a value with its error, which stays on one line."""
FRAME, BARE = (3, 1), (2, -2)
"""What a column adds to the width of its text, and what the whole adds: with lines, or without."""


def fitted(table: Table, width: int) -> RenderableType:
    """Return a table of results, at most `width` characters wide."""
    rows = [[cell(value) for value in row] for row in table.rows]
    columns = [str(column) for column in table.columns]
    return _fitted(columns, rows, width, numbers=numeric(table), caption=table.caption)


def fitted_text(columns: Sequence[str], rows: Rows, width: int, *, boxed: bool) -> RenderableType:
    """Return a table of texts, at most `width` characters wide."""
    return _fitted(columns, rows, width, numbers=[False] * len(columns), boxed=boxed)


def _fitted(
    columns: Sequence[str],
    rows: Rows,
    width: int,
    *,
    numbers: Sequence[bool],
    caption: str = "",
    boxed: bool = True,
) -> RenderableType:
    # A `Text` is shown as it is: the console makes only plain strings printable.
    columns, caption = [printable(name) for name in columns], printable(caption)
    rows = [[printable(value) for value in row] for row in rows]
    each, whole = FRAME if boxed else BARE
    widths = _widths(columns, rows, width - whole - each * len(columns))
    if widths is None:
        return _blocks(columns, rows, caption)
    return _columns(columns, rows, widths, numbers, caption, boxed=boxed)


def _columns(
    columns: Sequence[str],
    rows: Rows,
    widths: Sequence[int],
    numbers: Sequence[bool],
    caption: str,
    *,
    boxed: bool,
) -> RenderableType:
    """Return the rows beside each other, each column as wide as `widths` says."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    shown = RichTable(
        title=Text(caption) if caption else None,
        title_justify="left",
        box=box.HEAVY_HEAD if boxed else None,
        pad_edge=boxed,
    )
    for name, number, wide in zip(columns, numbers, widths, strict=True):
        shown.add_column(
            Text(name), justify="right" if number else "left", width=wide, overflow="fold"
        )
    for row in rows:
        shown.add_row(*map(Text, row))
    return shown


def _widths(columns: Sequence[str], rows: Rows, room: int) -> list[int] | None:
    """Return the width of each column; None if not even the longest words fit beside each other."""
    texts = [[name, *(row[index] for row in rows)] for index, name in enumerate(columns)]
    least = [max(map(_longest_word, column)) for column in texts]
    widths = [max(map(_longest_line, column)) for column in texts]
    if sum(least) > room:
        return None
    while sum(widths) > room:  # the widest one gives a column, as long as its words stay whole
        foldable = [index for index in range(len(widths)) if widths[index] > least[index]]
        widths[max(foldable, key=lambda index: widths[index])] -= 1
    return widths


def _longest_line(text: str) -> int:
    from rich.cells import cell_len

    return max((cell_len(line) for line in text.split("\n")), default=0)


def _longest_word(text: str) -> int:
    """Return the width of what must not be broken: a word, or a value with its error."""
    from rich.cells import cell_len

    if WITH_ERROR.match(text):
        return cell_len(text)
    return max((cell_len(word) for word in text.split()), default=0)


def _blocks(columns: Sequence[str], rows: Rows, caption: str) -> RenderableType:
    """Return every row by itself, with a line for each column that holds something."""
    from rich.console import Group
    from rich.text import Text

    lines = [caption] if caption else []
    for row in rows:
        first, *others = zip(columns, row, strict=True)
        lines.append(f"{first[0]}: {first[1]}")
        lines += [f"  {name}: {value}" for name, value in others if value]
    return Group(*(Text(line, overflow="fold") for line in lines))
