"""The performance diagram (Roebber, Weather and Forecasting 24 (2009) 601)."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baryon_climate.classes import CLASSES
from baryon_climate.evaluator.frames import HEURISTIC, NETWORK
from baryon_climate.evaluator.results import Results
from baryon_climate.evaluator.skill import performance
from baryon_climate.maps.palette import CLASS_COLOURS, MUTED


def draw_performance(results: Results) -> Figure:
    """Draw probability of detection over success ratio: up and to the right is better."""
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_xlabel("Success ratio (1 - false-alarm ratio)")
    axes.set_ylabel("Probability of detection")
    _draw_equal_skill(axes)
    for number, storm_class in enumerate(CLASSES):
        if results.known[number]:
            _draw_class(axes, results, number, storm_class.name)
    figure.legend(loc="outside right upper", fontsize="small")
    return figure


def _draw_equal_skill(axes: Axes) -> None:
    success, pod = np.meshgrid(np.linspace(0.01, 1, 100), np.linspace(0.01, 1, 100))
    csi = 1 / (1 / success + 1 / pod - 1)
    lines = axes.contour(
        success, pod, csi, np.arange(0.1, 1, 0.1), colors=MUTED, linewidths=0.7, alpha=0.6
    )
    axes.clabel(lines, fmt="CSI %.1f", fontsize=7)


def _draw_class(axes: Axes, results: Results, number: int, name: str) -> None:
    colour, network = CLASS_COLOURS[number], results.finders[NETWORK]
    pod, success = performance(network.by_distance[number])
    axes.plot(success, pod, "-", color=colour, linewidth=1.3, label=f"{name}, network")
    skill = network.skill[number]
    if skill.hits + skill.false_alarms:
        axes.plot(1 - skill.far, skill.pod, "o", color=colour)
    if HEURISTIC in results.finders:
        by_criteria = results.finders[HEURISTIC].skill[number]
        if by_criteria.hits + by_criteria.false_alarms:
            axes.plot(
                1 - by_criteria.far,
                by_criteria.pod,
                "X",
                color=colour,
                markeredgecolor="black",
                markersize=9,
                label=f"{name}, criteria",
            )
