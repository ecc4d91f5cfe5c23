"""Curves of precision over recall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from baryon_climate.classes import CLASSES
from baryon_climate.evaluator.frames import HEURISTIC, NETWORK
from baryon_climate.evaluator.precision import curve
from baryon_climate.evaluator.precisions import Precisions
from baryon_climate.evaluator.results import Results
from baryon_climate.maps.palette import CLASS_COLOURS

_LINES: Sequence[Literal["-", "--", ":", "-."]] = ("-", "--", ":", "-.")
_MARKERS = ("o", "s", "^", "D")


def draw_precision(results: Results) -> Figure:
    """Draw a panel for each class: the network's curve at each overlap, and the criteria's end."""
    figure = Figure(figsize=(9, 7.4), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    for number, axes in enumerate(panels.flat):
        axes.set_title(_title(results, number, CLASSES[number].name))
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        axes.grid(alpha=0.3)
        _draw_class(axes, results, number)
    _legend(figure, results)
    for axes in panels[-1]:  # a figure's own label would lie under a legend that is below the axes
        axes.set_xlabel("Recall (probability of detection)")
    figure.supylabel("Precision (1 - false-alarm ratio)")
    return figure


def _draw_class(axes: Axes, results: Results, number: int) -> None:
    network = results.finders[NETWORK].precisions["racah"]
    for at, line, marker in zip(results.overlaps, _LINES, _MARKERS, strict=False):
        recall, precision = _curve(network, number, at)
        axes.plot(recall, precision, line, color=CLASS_COLOURS[number])
        if HEURISTIC in results.finders:
            # Criteria give boxes without a meaningful score: only the end of the curve is theirs.
            recall, precision = _curve(results.finders[HEURISTIC].precisions["racah"], number, at)
            axes.plot(recall[-1:], precision[-1:], marker, color="black", markerfacecolor="none")


def _title(results: Results, number: int, name: str) -> str:
    network = results.finders[NETWORK].precisions["racah"]
    values = ", ".join(f"{network.of_class(number, at)[0]:.2f}" for at in results.overlaps)
    known = results.known[number]
    return f"{name}: AP {values} ({known} events)" if known else f"{name}: no events"


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


def _curve(precisions: Precisions, number: int, at: float) -> tuple[np.ndarray, np.ndarray]:
    matches = precisions.matches[number]
    known = float(matches.known.sum())
    if not known or not len(matches.scores):
        return np.zeros(0), np.zeros(0)
    right = matches.right[:, np.isclose(precisions.thresholds, at)][:, 0].astype(float)
    return curve(np.stack([right, np.ones_like(right)]), known)
