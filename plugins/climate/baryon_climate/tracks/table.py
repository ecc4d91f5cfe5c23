"""A CSV file with a header, line by line."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table."""

    place: str
    """Where in the file it is, for people."""
    row: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """The lines below a header."""

    header: Sequence[str]
    lines: Iterator[Line]


def open_table(text: str) -> Table:
    """Return a table whose lines are parsed as they are asked for.

    The lines raise `ValueError` where one has fewer fields than the header, or is no CSV.
    """
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    header = [name.strip() for name in next(reader, [])]
    return Table(header, _lines(reader, header))


def _lines(reader: Iterator[list[str]], header: Sequence[str]) -> Iterator[Line]:
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            number = reader.line_num  # type: ignore[attr-defined]  # of csv.reader
            raise ValueError(f"line {number} is no line of a CSV ({error})") from error
        if not any(field.strip() for field in fields):
            continue  # spreadsheets leave empty lines at the end
        place = f"line {reader.line_num}"  # type: ignore[attr-defined]  # of csv.reader
        if len(fields) < len(header):
            raise ValueError(f"{place} has {len(fields)} fields, the header {len(header)}")
        yield Line(place, dict(zip(header, fields, strict=False)))


def parse_each(table: Table, parse: Callable[[Line], Result]) -> Iterator[Result]:
    """Yield what each line says. Raises `ValueError` naming the line that cannot be read."""
    for line in table.lines:
        try:
            yield parse(line)
        except ValueError as error:
            raise ValueError(f"{line.place} cannot be read ({error})") from error
