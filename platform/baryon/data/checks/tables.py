"""Tabulate what a check has measured: reading, layout, values, classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from baryon.data.checks.distributions import classes
from baryon.data.checks.layout import MIB, layout_table
from baryon.data.checks.speed import Speed
from baryon.data.checks.values import Survey
from baryon.data.loader import Loader
from baryon.interfaces import Table

READING_COLUMNS = (
    "split",
    "samples",
    "KiB a sample",
    "samples a chunk",
    "shuffled, samples/s",
    "one by one, samples/s",
    "chunks mixed",
    "effective batch size",
    "MiB held",
)


def tables(
    loaders: Mapping[str, Loader], speeds: Mapping[str, Speed], surveys: Mapping[str, Survey]
) -> dict[str, Table]:
    """Return all tables that have rows, by name."""
    stored = {name: loader.split.stored() for name, loader in loaders.items()}
    by_name = {
        "reading": _reading(loaders, speeds),
        "layout": layout_table(stored),
        "values": _values(surveys),
        "classes": _classes(surveys),
    }
    return {name: table for name, table in by_name.items() if table.rows}


def _values(surveys: Mapping[str, Survey]) -> Table:
    columns = ("split", "field", "smallest", "mean", "deviation", "largest", "zeros")
    rows = [
        row
        for split, survey in surveys.items()
        for field in survey.fields.values()
        for row in field.rows(split)
    ]
    return Table(columns, rows, "Values, as a network sees them")


def _classes(surveys: Mapping[str, Survey]) -> Table:
    rows: list[list[str | float]] = [
        [split, name, value, count, f"{count / sum(counts.values()):.2%}"]
        for split, survey in surveys.items()
        for name, counts in classes(survey).items()
        for value, count in counts.items()
    ]
    columns = ("split", "field", "value", "samples", "share")
    return Table(columns, rows, "Whole numbers that take few values")


def _reading(loaders: Mapping[str, Loader], speeds: Mapping[str, Speed]) -> Table:
    rows: list[list[str | float]] = []
    for name, loader in loaders.items():
        quality = loader.shuffle_quality()
        effective = f"{quality.effective_batch:.1f} of {quality.batch}"
        rows.append(
            [
                name,
                len(loader.split),
                loader.sample_bytes / 1024,
                float(np.diff(loader.bounds).mean()),
                speeds[name].shuffled,
                speeds[name].one_by_one,
                quality.chunks,
                effective,
                loader.max_bytes() / MIB,
            ]
        )
    return Table(READING_COLUMNS, rows, "Reading, measured on this machine")
