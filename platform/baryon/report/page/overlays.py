"""Draw the curves of several runs over one another, with their bands."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from baryon import figures
from baryon.interfaces import Curve
from baryon.report.page.page import picture_of
from baryon.runs.judgement import not_comparable
from baryon.runs.record import RunRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_RUNS = len(figures.CYCLE)
"""Runs in one figure: more could not be told apart."""
MAX_CURVES = 8
"""Figures on a page."""
_LONGEST_NAME, _LONGEST_LABEL = 40, 60
"""Letters of a run's name and of an axis' label, which somebody else may have written."""


def overlays(runs: Mapping[str, RunRecord]) -> list[dict[str, str]]:
    """Return a picture for each curve that two or more of the first runs, by name, have.

    Empty if the runs cannot be compared: were evaluated by other evaluators or on other data.
    """
    shown = {name: run for name, run in runs.items() if run.evaluation.curves}
    shown = dict(list(shown.items())[:MAX_RUNS])
    if len(shown) < 2 or not_comparable(list(shown.values())):
        return []
    names = dict.fromkeys(name for run in shown.values() for name in run.evaluation.curves)
    by_name = {
        name: {r: c[name] for r, run in shown.items() if name in (c := run.evaluation.curves)}
        for name in names
    }
    drawn = [(name, curves) for name, curves in by_name.items() if len(curves) > 1]
    return [_picture(name, curves) for name, curves in drawn[:MAX_CURVES]]


def _picture(name: str, curves: Mapping[str, Curve]) -> dict[str, str]:
    first = next(iter(curves.values()))
    caption = f"{name.replace('_', ' ')} of {len(curves)} runs; bands are 68 % intervals"
    with figures.style():
        figure = figures.new(7, 5.2, caption)
        axes = figure.subplots()
        x_label, y_label = (_text(text, _LONGEST_LABEL) for text in (first.x_label, first.y_label))
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.set_yscale("log" if first.log else "linear")
        for (run, curve), colour in zip(curves.items(), figures.CYCLE, strict=False):
            _draw(axes, curve, colour, _text(run, _LONGEST_NAME))
        # Both ends must be set before the legend is placed: it moves the upper one.
        axes.set_ylim(*axes.get_ylim())
        figures.legend_in_headroom(axes)
        figures.lay_out(figure)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=figures.DOTS_PER_INCH)
    return picture_of(stream.getvalue(), caption)


def _draw(axes: Axes, curve: Curve, colour: str, label: str) -> None:
    x, y, low, high = (
        np.asarray(values, float) for values in (curve.x, curve.y, curve.low, curve.high)
    )
    lowest = 0.0 if curve.log else -np.inf  # a logarithmic axis has no place for zero
    axes.plot(x, np.where(y > lowest, y, np.nan), color=colour, label=label)
    if len(low):
        # An interval that reaches zero has no lower end on a logarithmic axis: its band ends at the
        # lowest point.
        least = y[y > 0].min(initial=1.0) if curve.log else -np.inf
        figures.band(axes, x, np.maximum(low, least), high, color=colour)


def _text(text: str, longest: int) -> str:
    """Return a text of somebody else's as a short label that is shown as it is."""
    cut = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return figures.plain_text(cut)
