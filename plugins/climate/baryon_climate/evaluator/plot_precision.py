"""Curves of precision over recall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from baryon.figures import new
from baryon.terminal.rounding import with_error
from baryon_climate.classes import CLASSES
from baryon_climate.evaluator.frames import HEURISTIC, NETWORK
from baryon_climate.evaluator.precisions import precision_over_recall
from baryon_climate.evaluator.results import Results
from baryon_climate.maps.palette import CLASS_COLOURS

_LINES: Sequence[Literal["-", "--", ":", "-."]] = ("-", "--", ":", "-.")
_MARKERS = ("o", "s", "^", "D")


def draw_precision(results: Results) -> Figure:
    """Draw a panel for each class: the network's curve at each overlap, and the criteria's end."""
    caption = "Precision over recall by class, at each overlap that a hit must have"
    figure = new(9, 7.6, caption)
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    for number, axes in enumerate(panels.flat):
        axes.set_title(_title(results, number, CLASSES[number].name), fontsize="small")
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        _draw_class(axes, results, number)
    _legend(figure, results)
    for axes in panels[-1]:  # a figure's own label would lie under a legend that is below the axes
        axes.set_xlabel("Recall (probability of detection)")
    figure.supylabel("Precision (1 - false-alarm ratio)")
    return figure


def _draw_class(axes: Axes, results: Results, number: int) -> None:
    network = results.finders[NETWORK].precisions["racah"]
    for at, line, marker in zip(results.overlaps, _LINES, _MARKERS, strict=False):
        recall, precision = precision_over_recall(network, number, at)
        axes.plot(recall, precision, line, color=CLASS_COLOURS[number])
        if HEURISTIC in results.finders:
            # Criteria give boxes without a meaningful score: only the end of the curve is theirs.
            recall, precision = precision_over_recall(
                results.finders[HEURISTIC].precisions["racah"], number, at
            )
            axes.plot(recall[-1:], precision[-1:], marker, color="black", markerfacecolor="none")


def _title(results: Results, number: int, name: str) -> str:
    network = results.finders[NETWORK].precisions["racah"]
    values = ", ".join(_with_error(*network.of_class(number, at)) for at in results.overlaps)
    known = results.known[number]
    return f"{name}, {known:,} events\nAP {values}" if known else f"{name}: no events"


def _with_error(value: float, error: float) -> str:
    return with_error(value, error) if error > 0 else f"{value:.2f}"


def _legend(figure: Figure, results: Results) -> None:
    """Explain lines and markers once for all panels."""
    looks = list(zip(results.overlaps, _LINES, _MARKERS, strict=False))
    handles = [
        Line2D([], [], color="black", linestyle=line, label=f"network, IoU > {at:g}")
        for at, line, _ in looks
    ]
    if HEURISTIC in results.finders:
        handles += [
            Line2D(
                [],
                [],
                color="black",
                linestyle="",
                marker=marker,
                markerfacecolor="none",
                label=f"criteria, IoU > {at:g}",
            )
            for at, _, marker in looks
        ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize="small")
