"""Write values of tables as text, the same on a terminal, in a report and in a CSV file."""

from __future__ import annotations

import math
from typing import Any

from baryon.interfaces import Table


def cell(value: object) -> str:
    """Return a number with four significant digits, anything else as text; a dash for nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, float):
        # Here the `g` format would write a power of ten, where people still count.
        if 1e4 <= abs(value) < 1e7:
            return f"{value:,.0f}"
        mantissa, _, exponent = f"{value:.4g}".partition("e")
        return f"{mantissa}e{int(exponent)}" if exponent else mantissa
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def numeric(table: Table) -> list[bool]:
    """Return which columns hold nothing but numbers, shares or gaps: they are aligned right."""
    columns = zip(*table.rows, strict=True) if table.rows else ()
    # Without rows nothing is known of the columns.
    are_numeric = [all(_is_numeric(value) for value in column) for column in columns]
    return are_numeric or [False] * len(table.columns)


def _is_numeric(value: Any) -> bool:
    if isinstance(value, str):
        return value == "-" or value.removesuffix("%").replace(".", "", 1).isdigit()
    return isinstance(value, int | float)
