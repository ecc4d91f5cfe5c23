"""Tabulate what a check has measured, the splits beside each other: reading, layout, values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from baryon.data.checks.distributions import classes
from baryon.data.checks.layout import MIB, layout_table
from baryon.data.checks.speed import Speed
from baryon.data.checks.values import Survey
from baryon.data.loader import Loader
from baryon.interfaces import Table


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
    by_split = {split: _described(survey) for split, survey in surveys.items()}
    # In the order of the first split that has them: a faulty split may have other fields.
    names = dict.fromkeys(name for described in by_split.values() for name in described)
    rows = [
        [name, *(described.get(name, "-") for described in by_split.values())] for name in names
    ]
    caption = "Values, as a network sees them: mean ± standard deviation in [smallest, largest]"
    return Table(("field", *by_split), rows, caption)


def _described(survey: Survey) -> dict[str, str]:
    """Return the values of each field in words, by field and channel."""
    return {name: text for field in survey.fields.values() for name, text in field.described()}


def _classes(surveys: Mapping[str, Survey]) -> Table:
    by_split = {split: classes(survey) for split, survey in surveys.items()}
    values = {
        (name, value)
        for fields in by_split.values()
        for name, counts in fields.items()
        for value in counts
    }
    order = list(dict.fromkeys(name for fields in by_split.values() for name in fields))
    rows: list[list[str | float]] = [
        [name, value, *(_share(fields.get(name, {}), value) for fields in by_split.values())]
        for name, value in sorted(values, key=lambda entry: (order.index(entry[0]), entry[1]))
    ]
    columns = ("field", "value", *by_split)
    return Table(columns, rows, "Whole numbers that take few values: samples and their share")


def _share(counts: Mapping[int, int], value: int) -> str:
    count = counts.get(value, 0)
    return f"{count:,} ({count / sum(counts.values()):.2%})" if counts else "-"


def _reading(loaders: Mapping[str, Loader], speeds: Mapping[str, Speed]) -> Table:
    quality = {name: loader.shuffle_quality() for name, loader in loaders.items()}
    quantities: dict[str, Callable[[str], str | float]] = {
        "samples": lambda name: len(loaders[name].split),
        "KiB a sample": lambda name: loaders[name].sample_bytes / 1024,
        "samples a chunk": lambda name: float(np.diff(loaders[name].bounds).mean()),
        "shuffled, samples/s": lambda name: speeds[name].shuffled,
        "one by one, samples/s": lambda name: speeds[name].one_by_one,
        "chunks mixed": lambda name: quality[name].chunks,
        "effective batch size": lambda name: (
            f"{quality[name].effective_batch:.1f} of {quality[name].batch}"
        ),
        "MiB held": lambda name: loaders[name].max_bytes() / MIB,
    }
    rows = [
        [quantity, *(measured(name) for name in loaders)]
        for quantity, measured in quantities.items()
    ]
    return Table(
        ("quantity", *loaders), rows if loaders else [], "Reading, measured on this machine"
    )
