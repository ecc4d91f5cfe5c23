"""Draw predictions: speed-up, efficiency, where the time goes, FLOP/s; and points of papers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from baryon.scaling.prediction import PARTS, Prediction
from baryon.scaling.published import CALIBRATION, RESTATED, Point
from baryon.scaling.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "osD^vPX*"


def draw_study(study: Study) -> dict[str, Figure]:
    """Return the figures of a study, by name."""
    last = max(study.predictions, key=lambda prediction: prediction.job.workers)
    return {
        "speed_up": _curves(study, "Speed-up over one node", lambda p: p.speed_up, ideal=True),
        "efficiency": _curves(study, "Parallel efficiency", lambda p: p.efficiency),
        "step": _parts(study),
        "flops": _flops(study, last),
    }


def families(study: Study) -> dict[str, list[Prediction]]:
    """Return the predictions of each curve, by its name, in the order of nodes."""
    several = len({prediction.job.groups for prediction in study.predictions}) > 2
    fixed = bool(study.request.groups)
    curves: dict[str, list[Prediction]] = {}
    for prediction in study.predictions:
        job = prediction.job
        name = job.comm
        if job.is_hybrid and fixed:
            name = f"hybrid, {job.groups} groups"
            if len(study.request.servers) > 1:
                name += f", {job.servers} servers"
        elif job.is_hybrid and several:
            name = "hybrid, best groups"
        curves.setdefault(name, []).append(prediction)
    return {name: sorted(curve, key=lambda p: p.job.workers) for name, curve in curves.items()}


def _curves(
    study: Study, label: str, value: Callable[[Prediction], float], *, ideal: bool = False
) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.2, 4), layout="constrained")
    figure.set_label(f"{label} of {study.network.name} on {study.machine.name}, by nodes")
    axes = figure.subplots()
    for marker, (name, curve) in zip(MARKERS * 4, families(study).items(), strict=False):
        nodes = [prediction.job.workers for prediction in curve]
        values = [value(prediction) for prediction in curve]
        axes.plot(nodes, values, marker=marker, markersize=4, linewidth=1.3, label=name)
    if ideal:
        ends = [min(study.request.nodes), max(study.request.nodes)]
        axes.plot(ends, ends, "--", color="0.6", linewidth=1, label="linear")
        axes.set_yscale("log")
    else:
        axes.set_ylim(0, 1.08)
    axes.set(xlabel="nodes (workers)", ylabel=label.lower(), xscale="log")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return figure


def _parts(study: Study) -> Figure:
    """Draw the parts of a step as stacked bars, a panel for each curve."""
    from matplotlib.figure import Figure

    curves = families(study)
    figure = Figure(figsize=(9, 0.6 + 2.6 * len(curves)), layout="constrained")
    figure.set_label(f"Where the time of a step goes, {study.network.name} on {study.machine.name}")
    panels = figure.subplots(len(curves), 1, squeeze=False, sharex=False).ravel()
    for axes, (name, curve) in zip(panels, curves.items(), strict=True):
        _stack(axes, name, curve)
    panels[0].legend(fontsize="small", ncols=4, loc="upper left", bbox_to_anchor=(0, 1.45))
    return figure


def _stack(axes: Axes, name: str, curve: Sequence[Prediction]) -> None:
    positions = np.arange(len(curve))
    base = np.zeros(len(curve))
    for part in PARTS:
        # A lone fast node is early: nothing is lost there.
        seconds = np.array([max(0.0, prediction.parts[part]) for prediction in curve])
        axes.bar(positions, seconds, bottom=base, width=0.75, label=part)
        base += seconds
    labels = [f"{prediction.job.workers:,}" for prediction in curve]
    axes.set_xticks(positions, labels, rotation=45 if len(labels) > 10 else 0, fontsize="small")
    axes.set(ylabel="seconds a step", title=name, ylim=(0, 1.05 * base.max()))
    axes.title.set_fontsize("medium")
    axes.grid(axis="y", alpha=0.3)


def _flops(study: Study, last: Prediction) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.2, 4), layout="constrained")
    figure.set_label(f"FLOP/s of {study.network.name} on {study.machine.name}: mean, best window")
    axes = figure.subplots()
    unit, factor = ("PFLOP/s", 1e15) if last.flops > 1e14 else ("TFLOP/s", 1e12)
    for marker, (name, curve) in zip(MARKERS * 4, families(study).items(), strict=False):
        nodes = [prediction.job.workers for prediction in curve]
        (line,) = axes.plot(
            nodes, [p.flops / factor for p in curve], marker=marker, markersize=4, label=name
        )
        best = [p.sustained_flops / factor for p in curve]
        axes.plot(nodes, best, ":", color=line.get_color(), linewidth=1)
    axes.set(xlabel="nodes (workers)", ylabel=unit, xscale="log", yscale="log")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", title="dotted: sustained")
    return figure


def draw_points(points: Sequence[Point]) -> Figure:
    """Draw the error of each prediction of a published point."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 0.9 + 0.3 * len(points)), layout="constrained")
    figure.set_label(
        "Error of each prediction; hollow: used for calibration; square: follows from another point"
    )
    axes = figure.subplots()
    axes.axvspan(-10, 10, color="0.93")
    axes.axvspan(-5, 5, color="0.86")
    axes.axvline(0, color="0.4", linewidth=0.8)
    for place, point in enumerate(points):
        colour = "C0" if point.network == points[0].network else "C1"
        face = "white" if point.use == CALIBRATION else colour
        marker = "s" if point.use == RESTATED else "o"
        axes.plot(100 * point.error, place, marker, color=colour, markerfacecolor=face)
    names = [f"{point.network}: {point.what}, {point.quantity}" for point in points]
    axes.set_yticks(range(len(points)), names, fontsize="small")
    axes.invert_yaxis()
    axes.set_xlabel("predicted over published, % error (bands: 5 and 10 %)")
    return figure
