"""Check the answers of evaluators and communicators against the contract, and make them plain.

Metrics become Python numbers: whatever JSON does not know would be written as text, and a sweep by
such a metric would find none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, TypeVar

from baryon.errors import BaryonError, form
from baryon.interfaces import LARGEST_CURVE, CommunicatorSummary, Curve, Evaluation, Table

Answer = TypeVar("Answer", Evaluation, CommunicatorSummary)


def checked_evaluation(owner: str, answer: object) -> Evaluation:
    """Return an evaluator's answer with plain numbers.

    Raises `BaryonError`, said of `owner`, for what is no `Evaluation` or has anything in it that
    cannot be written.
    """
    if not isinstance(answer, Evaluation):
        raise BaryonError(
            f"{owner}: result() gives {form(answer)}, not a baryon.interfaces.Evaluation"
        )
    if not isinstance(answer.summary, str):
        raise BaryonError(f"{owner}: its summary is {form(answer.summary)}, not a sentence")
    if not _is_list_of_text(answer.judged_by):
        raise BaryonError(
            f"{owner}: its judged_by is {form(answer.judged_by)}, not a list of metrics' names"
        )
    curves = {
        name: _curve(f"{owner}: curve {name!r}", curve)
        for name, curve in _mapping(f"{owner}: curves", answer.curves).items()
    }
    return replace(_checked(owner, answer), curves=curves)


def checked_findings(owner: str, answer: object) -> CommunicatorSummary:
    """Return a communicator's summary with plain numbers; raises `BaryonError` likewise."""
    if not isinstance(answer, CommunicatorSummary):
        raise BaryonError(
            f"{owner}: summary() gives {form(answer)}, not a baryon.interfaces.CommunicatorSummary"
        )
    return _checked(owner, answer)


def numbers(owner: str, values: object) -> dict[str, float]:
    """Return numbers by name as Python's own; an array or tensor without axes is its only element.

    Raises `BaryonError`, said of `owner`, for anything else.
    """
    plain = {}
    for name, value in _mapping(owner, values).items():
        number = _number(value)
        if number is None:
            raise BaryonError(f"{owner}: {name!r} is {form(value)}, not a number")
        plain[name] = number
    return plain


def require_some_number(owner: str, metrics: Mapping[str, float]) -> None:
    """Raise `BaryonError` if there are metrics and all of them are NaN."""
    if metrics and all(math.isnan(value) for value in metrics.values()):
        raise BaryonError(
            f"{owner}: none of its metrics is a number ({', '.join(metrics)}): look at the data "
            "and at the weights"
        )


def _number(value: Any) -> float | None:
    """Return a Python number, None for what is no number; true and false are 1 and 0."""
    # NumPy, PyTorch and others make their scalars so, none of which is imported here.
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else None


def _checked(owner: str, answer: Answer) -> Answer:
    if not _is_list_of_text(answer.warnings):
        raise BaryonError(
            f"{owner}: its warnings are {form(answer.warnings)}, not a list of sentences"
        )
    return replace(
        answer,
        metrics=numbers(f"{owner}: metrics", answer.metrics),
        tables={
            name: _table(f"{owner}: table {name!r}", table)
            for name, table in _mapping(f"{owner}: tables", answer.tables).items()
        },
        figures=_figures(owner, answer.figures),
    )


def _is_list_of_text(values: object) -> bool:
    # A text alone is a sequence of its letters, which is never meant.
    if isinstance(values, str) or not isinstance(values, Sequence):
        return False
    return all(isinstance(text, str) for text in values)


def _mapping(owner: str, values: object) -> Mapping[str, Any]:
    if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
        raise BaryonError(f"{owner} must be a mapping by name, not {form(values)}")
    return values


def _table(owner: str, table: object) -> Table:
    if not isinstance(table, Table):
        raise BaryonError(f"{owner} is {form(table)}, not a baryon.interfaces.Table")
    rows = []
    for row in table.rows:
        # A terminal, a page and a CSV file would each show such a row in another way.
        if len(row) != len(table.columns):
            raise BaryonError(
                f"{owner} has {len(table.columns)} columns and a row of {len(row)} cells"
            )
        rows.append([_cell(owner, cell) for cell in row])
    return replace(table, rows=rows)


def _cell(owner: str, cell: Any) -> str | float:
    value = cell if isinstance(cell, str) else _number(cell)
    if value is None:
        raise BaryonError(f"{owner} has a cell that is {form(cell)}, not text or a number")
    return value


def _curve(owner: str, curve: object) -> Curve:
    """Return a curve of Python numbers; see `baryon.interfaces.Curve` for what it must be."""
    if not isinstance(curve, Curve):
        raise BaryonError(f"{owner} is {form(curve)}, not a baryon.interfaces.Curve")
    columns = {key: list(getattr(curve, key)) for key in ("x", "y", "low", "high")}
    lengths = {key: len(column) for key, column in columns.items()}
    has_band = bool(lengths["low"] or lengths["high"])
    if len({n for key, n in lengths.items() if has_band or key in ("x", "y")}) > 1:
        raise BaryonError(f"{owner} has columns of different lengths: {lengths}")
    if lengths["x"] > LARGEST_CURVE:
        raise BaryonError(f"{owner} has {lengths['x']:,} points: give {LARGEST_CURVE:,} or fewer")
    plain = {key: [_number(value) for value in column] for key, column in columns.items()}
    if any(value is None for column in plain.values() for value in column):
        raise BaryonError(f"{owner} holds something that is not a number")
    return replace(curve, **plain)  # type: ignore[arg-type]


def _figures(owner: str, figures: object) -> Mapping[str, Any]:
    named = _mapping(f"{owner}: figures", figures)
    if not named:
        return {}
    from matplotlib.figure import Figure  # not before there is one: it is heavy

    for name, figure in named.items():
        if not name.strip() or name.startswith(".") or set(name) & set("/\\\0"):
            raise BaryonError(
                f"{owner}: figure {name!r} cannot be named so, for its name is its file's: leave "
                "out slashes, and a dot at the beginning"
            )
        if not isinstance(figure, Figure):
            raise BaryonError(
                f"{owner}: figure {name!r} is {form(figure)}, not a matplotlib.figure.Figure"
            )
    return named
