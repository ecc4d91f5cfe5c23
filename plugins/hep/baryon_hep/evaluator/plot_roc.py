"""Draw the ROC curve with the working point of the cuts."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from baryon.figures import band, legend_in_headroom, new
from baryon.terminal.rounding import short, within
from baryon_hep.evaluator.comparison import AtRate, Comparison
from baryon_hep.evaluator.efficiency import Efficiency, Interval
from baryon_hep.evaluator.palette import CUTS, MUTED, NETWORK
from baryon_hep.evaluator.results import Results
from baryon_hep.evaluator.roc_points import POINTS, band_ends, lowest_rate, vertices
from baryon_hep.evaluator.sample_label import SampleLabel


def draw_roc(results: Results, label: SampleLabel) -> Figure:
    """Draw the weighted false-positive rate, logarithmic, over the signal efficiency."""
    figure = new(
        7,
        6.2,
        "ROC curve: background efficiency against signal efficiency, with the cuts' point",
    )
    axes = figure.add_subplot()
    floor = lowest_rate(results.roc)
    axes.set_yscale("log")
    axes.set(xlim=(0, 1.02), ylim=(floor, 1))
    axes.set_xlabel("Signal efficiency (true-positive rate)")
    axes.set_ylabel("Background efficiency (false-positive rate)")
    _draw_curve(axes, results, floor)
    _draw_unsupported(axes, results, floor)
    if results.comparison:
        _draw_comparison(axes, results.comparison)
    if results.lowest and not (results.comparison and results.comparison.network):
        _draw_network(axes, results.lowest, f"network at {short(results.lowest.rate)}")
    legend_in_headroom(axes)
    label.draw(axes, len(results.events))
    return figure


def _draw_curve(axes: Axes, results: Results, floor: float) -> None:
    roc = results.roc
    drawn = vertices(roc, floor, POINTS)
    invisible = floor / 10  # a logarithmic axis has no place for zero
    of_area = _in_words(results.area.value, results.area.interval)
    label = f"network, area {of_area}"
    axes.plot(roc.tpr[drawn], np.maximum(roc.fpr[drawn], invisible), color=NETWORK, label=label)
    low, high = band_ends(results, floor)
    lower = np.maximum(low[1], invisible)
    band(axes, low[0], lower, high[1], color=NETWORK, label="its statistical error (68 %)")


def _draw_unsupported(axes: Axes, results: Results, floor: float) -> None:
    """Hatch the rates of which the sample tells limits alone, and draw these limits."""
    roc, minimum = results.roc, results.minimum_effective_background
    drawn = vertices(roc, floor, POINTS)
    few = roc.effective_background[drawn] < minimum
    if not few.any():
        return
    last = drawn[few][-1]
    top = max(float(roc.fpr[min(last + 1, len(roc.fpr) - 1)]), floor)
    region = axes.axhspan(floor, top, facecolor="#EFEFEF", edgecolor="#C8C8C8", hatch="//")
    region.set(linewidth=0, zorder=0, label=rf"background $n_\mathrm{{eff}} < {minimum:g}$")
    unsupported = drawn[few]
    limit = roc.fpr_limit[unsupported]
    axes.plot(roc.tpr[unsupported], limit, "--", color=NETWORK, linewidth=1.2, label="95 % limit")
    arrows = np.searchsorted(roc.tpr[unsupported], np.linspace(0.1, 0.9, 5))
    for index in np.unique(arrows[arrows < len(unsupported)]):
        point = roc.tpr[unsupported[index]], limit[index]
        _arrow_down(axes, *point, NETWORK)


def _arrow_down(axes: Axes, efficiency: float, limit: float, color: str) -> None:
    axes.annotate(
        "",
        (efficiency, limit / 2),
        (efficiency, limit),
        arrowprops={"arrowstyle": "->", "color": color, "shrinkA": 0, "shrinkB": 0},
    )


def _draw_comparison(axes: Axes, comparison: Comparison) -> None:
    network = comparison.network
    if network is None:
        _draw_limit(axes, comparison.cuts_signal, comparison.cuts_background)
        return
    signal, background = comparison.cuts_signal, comparison.cuts_background
    cuts = axes.errorbar(
        signal.value,
        network.rate,
        _lengths(network.rate, background.interval),
        _lengths(signal.value, signal.interval),
        fmt="s",
        color=CUTS,
    )
    cuts.set_label(f"cuts: efficiency {_in_words(signal.value, signal.interval)}")
    _draw_network(axes, network, "network there")
    kept = network.point.tpr
    ratio = f"ratio {_in_words(comparison.ratio, comparison.ratio_interval)}"
    axes.plot(
        [signal.value, kept], [network.rate] * 2, ":", color=MUTED, linewidth=1.5, label=ratio
    )


def _draw_limit(axes: Axes, signal: Efficiency, background: Efficiency) -> None:
    """Draw the cuts at the limit of their rate."""
    across = _lengths(signal.value, signal.interval)
    cuts = axes.errorbar(signal.value, background.limit, xerr=across, fmt="s", color=CUTS)
    cuts.set_label(f"cuts, below {short(background.limit)} (95 %)")
    _arrow_down(axes, signal.value, background.limit, CUTS)


def _draw_network(axes: Axes, network: AtRate, name: str) -> None:
    kept = network.point.tpr
    across = _lengths(kept, network.signal)
    working_point = axes.errorbar(kept, network.rate, xerr=across, fmt="o", color=NETWORK)
    working_point.set_label(f"{name}: {_in_words(kept, network.signal)}")


def _lengths(value: float, interval: Interval) -> NDArray[np.float64] | None:
    """Return the lengths (2, 1) of an error bar for matplotlib; None without an interval."""
    if not np.isfinite(interval.low):
        return None
    return np.array([[value - interval.low], [interval.high - value]])


def _in_words(value: float, interval: Interval) -> str:
    return within(value, interval.low, interval.high)
