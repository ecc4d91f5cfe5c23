"""The performance diagram (Roebber, Weather and Forecasting 24 (2009) 601)."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from baryon.figures import new
from baryon_climate.classes import CLASSES
from baryon_climate.evaluator.frames import HEURISTIC, NETWORK, Floats
from baryon_climate.evaluator.results import Results
from baryon_climate.evaluator.skill import Skill, performance, wilson
from baryon_climate.maps.palette import CLASS_COLOURS, MUTED

_BIASES = (0.5, 1.0, 2.0)


def draw_performance(results: Results) -> Figure:
    """Draw probability of detection over success ratio: up and to the right is better.

    Errors of the points are 68 % intervals that take events as independent.
    """
    caption = (
        "Probability of detection over success ratio, with lines of equal skill and of equal bias"
    )
    figure = new(7.6, 5.6, caption)
    axes = figure.add_subplot()
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_xlabel("Success ratio (1 - false-alarm ratio)")
    axes.set_ylabel("Probability of detection")
    _draw_equal_skill(axes)
    _draw_equal_bias(axes)
    for number, known in enumerate(results.known):
        if known:
            _draw_class(axes, results, number)
    figure.legend(handles=_keys(results), loc="outside right upper")
    return figure


def _draw_equal_skill(axes: Axes) -> None:
    success, pod = np.meshgrid(np.linspace(0.01, 1, 100), np.linspace(0.01, 1, 100))
    csi = 1 / (1 / success + 1 / pod - 1)
    lines = axes.contour(
        success, pod, csi, np.arange(0.1, 1, 0.1), colors=MUTED, linewidths=0.7, alpha=0.6
    )
    # Labels stand where the success ratio is 0.94: curves of a network seldom get there.
    places = [(0.94, csi / (1 - csi * (1 / 0.94 - 1))) for csi in lines.levels if csi < 0.9]
    for text in axes.clabel(lines, fmt="CSI %.1f", fontsize=7, manual=places):
        text.set(rotation=0, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})


def _draw_equal_bias(axes: Axes) -> None:
    """Draw lines of equal bias: events detected for each event known, POD over success ratio."""
    for bias in _BIASES:
        end = min(1.0, 1.0 / bias), min(1.0, bias)
        axes.plot([0, end[0]], [0, end[1]], ":", color=MUTED, linewidth=0.7, alpha=0.8)
        place = 0.985 * end[0], 0.985 * end[1]
        look: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        axes.text(
            *place, f"bias {bias:g}", color=MUTED, fontsize=7, ha="right", va="top", bbox=look
        )


def _draw_class(axes: Axes, results: Results, number: int) -> None:
    colour, network = CLASS_COLOURS[number], results.finders[NETWORK]
    pod, success = performance(network.by_distance[number])
    axes.plot(success, pod, "-", color=colour, linewidth=1.3)
    _draw_skill(axes, network.skill[number], "o", colour)
    if HEURISTIC in results.finders:
        _draw_skill(axes, results.finders[HEURISTIC].skill[number], "X", colour)


def _draw_skill(axes: Axes, skill: Skill, marker: str, colour: str) -> None:
    """Draw a working point with its 68 % errors; nothing if no event was detected."""
    if not skill.hits + skill.false_alarms:
        return
    success = wilson(skill.hits, skill.hits + skill.false_alarms)
    pod = wilson(skill.hits, skill.hits + skill.misses)
    axes.errorbar(
        1 - skill.far,
        skill.pod,
        xerr=_lengths(1 - skill.far, success),
        yerr=_lengths(skill.pod, pod),
        fmt=marker,
        color=colour,
        markeredgecolor="black",
        markersize=7 if marker == "X" else 6,
        elinewidth=1,
    )


def _lengths(value: float, ends: tuple[float, float]) -> Floats:
    """Return the lengths (2, 1) of an error bar, which may be zero but not below."""
    lengths: Floats = np.maximum(np.array([[value - ends[0]], [ends[1] - value]]), 0.0)
    return lengths


def _keys(results: Results) -> list[Line2D]:
    """Return the legend: a colour for each class with events, a marker for each finder."""
    keys = [
        Line2D([], [], color=colour, linewidth=2, label=storm_class.name)
        for colour, storm_class, known in zip(CLASS_COLOURS, CLASSES, results.known, strict=True)
        if known
    ]
    markers = {"o": f"network, score ≥ {results.confidence:g}"}
    if HEURISTIC in results.finders:
        markers["X"] = "criteria"
    return keys + [
        Line2D([], [], color="white", marker=marker, markeredgecolor="black", label=label)
        for marker, label in markers.items()
    ]
