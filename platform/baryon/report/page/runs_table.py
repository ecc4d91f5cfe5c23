"""The table of runs that stand side by side on a page: a row a run, a column a quantity."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from baryon.runs.judgement import value_with_error
from baryon.runs.record import RunRecord

MAX_METRICS = 6
"""Columns of metrics; all of them stand on the runs' own pages."""


@dataclass(frozen=True)
class Column:
    """One quantity of all runs.

    Attributes
    ----------
    name : heading
    values : value of each run, by which the table is sorted
    seconds : whether the values are durations
    texts : values with their errors as they are shown, "" where the value says it all

    """

    name: str
    values: Sequence[Any]
    seconds: bool = False
    texts: Sequence[str] = ()

    def head(self) -> dict[str, Any]:
        """Return the heading as the template takes it; numbers are aligned to the right."""
        numbers = all(value is None or _is_number(value) for value in self.values)
        return {"name": self.name.replace("_", " "), "number": numbers, "seconds": self.seconds}


def metric_column(name: str, runs: Sequence[RunRecord | None]) -> Column:
    """Return the column of a metric of the runs' evaluations."""
    metrics = [run.evaluation.metrics if run else {} for run in runs]
    values = [of_run.get(name) for of_run in metrics]
    return Column(name, values, texts=[value_with_error(of_run, name) for of_run in metrics])


def row(
    name: str, number: int, run: RunRecord | None, place: Path, **others: Any
) -> dict[str, Any]:
    """Return the beginning of a row: the name, which leads to the run's own page, and `others`."""
    return {"name": name, "order": number, "link": link(run, place), **others}


def with_cells(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]
) -> list[dict[str, Any]]:
    """Return the rows with the cells of their columns, as the template takes them."""
    return [
        {
            **start,
            "cells": [
                {
                    "value": column.values[number],
                    "text": column.texts[number] if column.texts else "",
                }
                for column in columns
            ],
        }
        for number, start in enumerate(rows)
    ]


def distinguishing_metrics(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the first few metrics that differ between runs.

    Errors of metrics are left out: they are shown beside their values.
    """
    names = dict.fromkeys(name for of_run in metrics for name in of_run)
    differing = [
        name
        for name in names
        if not name.endswith(("_error", "_low", "_high"))
        and len({str(of_run.get(name)) for of_run in metrics if of_run}) > 1
    ]
    return differing[:MAX_METRICS]


def link(run: RunRecord | None, place: Path) -> str:
    """Return the address of a run's page, seen from the folder `place`; "" if it has none."""
    return "" if run is None else page_link(run.directory.report, place)


def page_link(page: Path, place: Path) -> str:
    """Return the address of a page, seen from the folder `place`; "" if there is no such file."""
    # Folder names may hold `#`, `?` or `%`, which mean something else in an address.
    return quote(Path(os.path.relpath(page, place)).as_posix()) if page.is_file() else ""


def scalar(value: Any) -> Any:
    """Return numbers and texts as they are, anything else as a text."""
    return value if isinstance(value, str) or _is_number(value) else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
