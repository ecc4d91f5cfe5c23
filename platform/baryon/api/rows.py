"""Rows with names: a table for people in a notebook, and for pandas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from baryon.errors import BaryonError

if TYPE_CHECKING:
    import pandas as pd

MOST_SHOWN = 60
"""Rows that a notebook shows; `to_pandas` has all."""


class Rows(list[dict[str, Any]]):
    """A list of rows, each a dictionary; a notebook shows it as a table."""

    @property
    def columns(self) -> list[str]:
        """Names of all columns, in the order in which they first appear."""
        return list(dict.fromkeys(name for row in self for name in row))

    def to_pandas(self) -> pd.DataFrame:
        """Return a `pandas.DataFrame`. Raises `BaryonError` if pandas is not installed."""
        try:
            import pandas as pd
        except ImportError as error:
            raise BaryonError("to_pandas needs pandas: pip install pandas") from error
        # Columns are given: without rows they would be lost, and their order follows from the
        # first.
        return pd.DataFrame(list(self), columns=self.columns)

    def _repr_html_(self) -> str:
        """Return the table as IPython shows it."""
        return html_table(self.columns, self)


def html_table(columns: list[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return an HTML table; texts are escaped, for they may come from somebody else's run."""
    rows = list(rows)
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(shown(row.get(name)))}</td>" for name in columns) + "</tr>"
        for row in rows[:MOST_SHOWN]
    )
    more = f"<p>and {len(rows) - MOST_SHOWN} more rows</p>" if len(rows) > MOST_SHOWN else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def shown(value: Any) -> str:
    """Return a cell's text: four significant digits, nothing for what is not there."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
