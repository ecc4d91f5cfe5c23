"""Draw predictions: speed-up, efficiency, where the time goes, FLOP/s; and points of papers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from baryon import figures
from baryon.scaling.prediction import PARTS, Prediction
from baryon.scaling.published import CALIBRATION, RESTATED, Point
from baryon.scaling.real_runs import RealRun, single_rate_of
from baryon.scaling.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "osD^vPX*"
NODES = "Nodes (workers)"


def draw_study(study: Study) -> dict[str, Figure]:
    """Return the figures of a study, by name."""
    with figures.style():
        drawn = {
            "speed_up": _speed_up(study),
            "efficiency": _efficiency(study),
            "step": _parts(study),
            "flops": _flops(study),
        }
        for figure in drawn.values():
            figures.lay_out(figure)
    return drawn


def families(study: Study) -> dict[str, list[Prediction]]:
    """Return the predictions of each curve, by its name, in the order of nodes."""
    curves: dict[str, list[Prediction]] = {}
    for prediction in study.predictions:
        curves.setdefault(_curve_of(study, prediction), []).append(prediction)
    return {name: sorted(curve, key=lambda p: p.job.workers) for name, curve in curves.items()}


def _curve_of(study: Study, prediction: Prediction) -> str:
    job = prediction.job
    if not job.is_hybrid:
        return job.comm
    if not study.request.groups:
        return "hybrid, best groups"
    if len(study.request.servers) > 1:
        return f"hybrid, {job.groups} groups, {job.servers} servers"
    return f"hybrid, {job.groups} groups"


def _plot(axes: Axes, study: Study, value: Callable[[Prediction], float]) -> None:
    """Draw a value of all predictions by nodes, a line for each curve."""
    for marker, (name, curve) in zip(MARKERS * 4, families(study).items(), strict=False):
        nodes = [prediction.job.workers for prediction in curve]
        axes.plot(nodes, [value(p) for p in curve], marker=marker, label=name)
    axes.set(xlabel=NODES, xscale="log")


def _title(study: Study) -> str:
    return f"{study.network.name} on {study.machine.name}"


def _speed_up(study: Study) -> Figure:
    figure = figures.new(6.2, 4.2, f"Speed-up over one node of {_title(study)}, by nodes")
    axes = figure.subplots()
    _plot(axes, study, lambda prediction: prediction.speed_up)
    workers = [prediction.job.workers for prediction in study.predictions]
    ends = [min(workers), max(workers)]
    axes.plot(ends, ends, "--", color=figures.GREY, linewidth=1, label="linear")
    axes.set(ylabel="Speed-up over one node", yscale="log")
    axes.legend(loc="upper left")
    return figure


def _efficiency(study: Study) -> Figure:
    figure = figures.new(6.2, 4.2, f"Parallel efficiency of {_title(study)}, by nodes")
    axes = figure.subplots()
    _plot(axes, study, lambda prediction: prediction.efficiency)
    highest = max(prediction.efficiency for prediction in study.predictions)
    axes.set(ylabel="Parallel efficiency", ylim=(0, 1.05 * max(1, highest)))
    axes.legend(loc="lower left")
    return figure


def _flops(study: Study) -> Figure:
    figure = figures.new(6.2, 4.2, f"FLOP/s of {_title(study)}: mean, and of the best window")
    axes = figure.subplots()
    highest = max(prediction.flops for prediction in study.predictions)
    unit, factor = ("PFLOP/s", 1e15) if highest > 1e14 else ("TFLOP/s", 1e12)
    _plot(axes, study, lambda prediction: prediction.flops / factor)
    for line, curve in zip(axes.get_lines(), families(study).values(), strict=True):
        best = [prediction.sustained_flops / factor for prediction in curve]
        axes.plot(line.get_xdata(), best, ":", color=line.get_color(), linewidth=1)
    axes.set(ylabel=unit, yscale="log")
    axes.legend(loc="upper left", title="dotted: sustained")
    return figure


def _parts(study: Study) -> Figure:
    """Draw the parts of a step as stacked bars, a panel for each curve."""
    curves = families(study)
    caption = f"Where the time of a step goes, {_title(study)}"
    figure = figures.new(9, 0.9 + 2.5 * len(curves), caption)
    panels = figure.subplots(len(curves), 1, squeeze=False).ravel()
    for axes, (name, curve) in zip(panels, curves.items(), strict=True):
        _stack(axes, name, curve)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(PARTS))
    panels[-1].set_xlabel(NODES)
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
    axes.set_xticks(positions, labels, fontsize="small")
    axes.tick_params(axis="x", which="both", length=0)
    axes.set(ylabel="Seconds a step", title=name, ylim=(0, 1.05 * base.max()))


def draw_runs(runs: Sequence[RealRun]) -> dict[str, Figure]:
    """Return the figures of real runs, by name: speed-up beside predictions, time of the steps."""
    with figures.style():
        drawn = {"speed_up": _speed_up_of_runs(runs), "phases": _phases_of_runs(runs)}
        for figure in drawn.values():
            figures.lay_out(figure)
    return drawn


def _speed_up_of_runs(runs: Sequence[RealRun]) -> Figure:
    figure = figures.new(6.2, 4.2, "Speed-up of real runs by workers; dashed: predicted")
    axes = figure.subplots()
    single = single_rate_of(runs)
    for marker, comm in zip(MARKERS * 4, dict.fromkeys(run.comm for run in runs), strict=False):
        of_comm = [run for run in runs if run.comm == comm]
        workers = [run.job.workers for run in of_comm]
        rates = [run.samples_per_second / single for run in of_comm]
        (line,) = axes.plot(workers, rates, marker, label=comm)
        predictions = [run.prediction.samples_per_second for run in of_comm if run.prediction]
        if len(predictions) == len(workers):
            values = [rate / single for rate in predictions]
            axes.plot(workers, values, "x--", color=line.get_color(), label=f"{comm}, predicted")
    counts = sorted({run.job.workers for run in runs})
    axes.plot(counts, counts, ":", color=figures.GREY, linewidth=1, label="linear")
    axes.set(xlabel="Workers", ylabel="Speed-up over one worker", xscale="log", yscale="log")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.tick_params(axis="x", which="minor", bottom=False, top=False, labelbottom=False)
    axes.legend(loc="upper left")
    return figure


def _phases_of_runs(runs: Sequence[RealRun]) -> Figure:
    """Draw each run's time by phases, as shares of its steps."""
    figure = figures.new(7, 1.5 + 0.4 * len(runs), "Where the time of the steps went, by run")
    axes = figure.subplots()
    base = np.zeros(len(runs))
    for phase in dict.fromkeys(phase for run in runs for phase in run.phases):
        shares = np.array([run.phases.get(phase, 0) / sum(run.phases.values()) for run in runs])
        axes.barh(range(len(runs)), shares, left=base, height=0.7, label=phase)
        base += shares
    names = [f"{run.comm} on {run.job.workers}" for run in runs]
    axes.set_yticks(range(len(runs)), names)
    axes.tick_params(axis="y", which="both", length=0)
    axes.invert_yaxis()
    axes.set(xlabel="Share of the time", xlim=(0, 1))
    figure.legend(loc="outside upper center", ncols=4)
    return figure


def draw_points(points: Sequence[Point]) -> Figure:
    """Draw the error of each prediction of a published point."""
    caption = (
        "Error of each prediction; hollow: used for calibration; square: follows from another point"
    )
    with figures.style():
        figure = figures.new(9, 0.9 + 0.3 * len(points), caption)
        axes = figure.subplots()
        for width, shade in ((10, "0.93"), (5, "0.86")):
            axes.axvspan(-width, width, color=shade)
        axes.axvline(0, color=figures.GREY, linewidth=0.8)
        for place, point in enumerate(points):
            _draw_point(axes, place, point, first=point.network == points[0].network)
        names = [f"{point.network}: {point.what}" for point in points]
        axes.set_yticks(range(len(points)), names, fontsize="small")
        axes.tick_params(axis="y", which="both", length=0)
        axes.minorticks_off()
        axes.invert_yaxis()
        axes.set_xlabel("Error of the prediction, % (bands: 5 and 10 %)")
        figures.lay_out(figure)
    return figure


def _draw_point(axes: Axes, place: int, point: Point, *, first: bool) -> None:
    colour = figures.BLUE if first else figures.VERMILION
    face = "white" if point.use == CALIBRATION else colour
    marker = "s" if point.use == RESTATED else "o"
    axes.plot(100 * point.error, place, marker, color=colour, markerfacecolor=face)
