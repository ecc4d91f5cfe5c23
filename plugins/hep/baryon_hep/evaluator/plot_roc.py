"""The ROC curve with the cuts' working point on it."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from baryon_hep.evaluator.comparison import Comparison
from baryon_hep.evaluator.palette import CUTS, MUTED, NETWORK
from baryon_hep.evaluator.results import Results
from baryon_hep.evaluator.roc import Roc, area, area_error
from baryon_hep.evaluator.rounding import short, with_error

_POINTS = 500


def draw_roc(results: Results) -> Figure:
    """Weighted false-positive rate, logarithmic, over the signal efficiency."""
    figure = Figure(figsize=(7, 6.4), layout="constrained")
    axes = figure.add_subplot()
    floor = _floor(results)
    axes.set_yscale("log")
    axes.set(xlim=(0, 1.02), ylim=(floor, 1))
    axes.set_xlabel("Signal efficiency (true-positive rate)")
    axes.set_ylabel("Background efficiency (false-positive rate)")
    _draw_curve(axes, results, floor)
    if results.comparison:
        _draw_comparison(axes, results.comparison, results.fpr_limit)
    figure.legend(loc="outside upper left", ncols=2)
    return figure


def _floor(results: Results) -> float:
    """A power of ten well below the working point."""
    cuts = results.comparison.cuts_background.value if results.comparison else 0.0
    return 10.0 ** math.floor(math.log10((cuts or results.fpr_limit) / 30))


def _draw_curve(axes: Axes, results: Results, floor: float) -> None:
    roc, minimum = results.roc, results.minimum_effective_background
    at = _vertices(roc, floor)
    tpr, fpr, error = roc.tpr[at], roc.fpr[at], roc.fpr_error[at]
    invisible = floor / 10  # a logarithmic axis has no place for zero
    low, high = np.maximum(fpr - error, invisible), np.maximum(fpr + error, invisible)
    of_area = with_error(area(roc), area_error(roc))
    axes.plot(tpr, np.maximum(fpr, invisible), color=NETWORK, label=f"network, area {of_area}")
    band = axes.fill_between(tpr, low, high, color=NETWORK, alpha=0.3, linewidth=0)
    band.set_label("its statistical error (68 %)")
    few = roc.effective_background[at] < minimum
    region = axes.fill_betweenx(np.maximum(fpr, floor), 0, 1.02, where=few, linewidth=0)
    region.set(facecolor="#EFEFEF", edgecolor="#C8C8C8", hatch="//", zorder=0)
    region.set_label(rf"background $n_\mathrm{{eff}} < {minimum:g}$")


def _vertices(roc: Roc, floor: float) -> NDArray[np.int64]:
    """Those that tell apart what the eye can: at most a thousand of the perhaps millions."""
    rates = np.concatenate([[0.0], np.geomspace(floor / 10, 1.0, _POINTS)])
    by_fpr = np.searchsorted(roc.fpr, rates)
    by_tpr = np.searchsorted(roc.tpr, np.linspace(0, 1, _POINTS))
    return np.unique(np.minimum(np.concatenate([by_fpr, by_tpr]), len(roc.fpr) - 1))


def _draw_comparison(axes: Axes, comparison: Comparison, limit: float) -> None:
    signal, background = comparison.cuts_signal, comparison.cuts_background
    if comparison.network is None:
        cuts = axes.errorbar(
            signal.value, limit, limit / 2, signal.error, fmt="s", color=CUTS, uplims=True
        )
        cuts.set_label(f"cuts, below {short(limit)} (95 %)")
        return
    network, error, fpr = (
        comparison.network.tpr,
        comparison.signal_efficiency_error,
        background.value,
    )
    cuts = axes.errorbar(signal.value, fpr, background.error, signal.error, fmt="s", color=CUTS)
    there = axes.errorbar(network, fpr, xerr=error, fmt="o", color=NETWORK)
    cuts.set_label(f"cuts: efficiency {with_error(signal.value, signal.error)}")
    there.set_label(f"network there: {with_error(network, error)}")
    axes.plot([signal.value, network], [fpr, fpr], ":", color=MUTED, linewidth=1.5)
    axes.text(
        (signal.value + network) / 2,
        fpr * 1.15,
        rf"$\times$ {with_error(comparison.ratio, comparison.ratio_error)}",
        horizontalalignment="center",
        verticalalignment="bottom",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},
    )
