"""Draw the ROC curve with the working point of the cuts."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from baryon.terminal.rounding import short, within
from baryon_hep.evaluator.comparison import AtRate, Comparison
from baryon_hep.evaluator.efficiency import Efficiency, Interval, efficiency
from baryon_hep.evaluator.palette import CUTS, MUTED, NETWORK
from baryon_hep.evaluator.results import Results
from baryon_hep.evaluator.roc import Roc

_POINTS = 500
_BAND_POINTS = 60
_BAND_DRAWS = 4_000


def draw_roc(results: Results) -> Figure:
    """Draw the weighted false-positive rate, logarithmic, over the signal efficiency."""
    figure = Figure(figsize=(7, 6.4), layout="constrained")
    axes = figure.add_subplot()
    floor = _floor(results.roc)
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
    figure.legend(loc="outside upper left", ncols=2)
    return figure


def _floor(roc: Roc) -> float:
    """Return the lowest rate of the axis, a third of that of one effective background event."""
    # No selection of this sample tells a lower rate.
    return float(roc.background_squares[-1]) / 3


def _draw_curve(axes: Axes, results: Results, floor: float) -> None:
    roc = results.roc
    drawn = _vertices(roc, floor, _POINTS)
    invisible = floor / 10  # a logarithmic axis has no place for zero
    of_area = _in_words(results.area.value, results.area.interval)
    label = f"network, area {of_area}"
    axes.plot(roc.tpr[drawn], np.maximum(roc.fpr[drawn], invisible), color=NETWORK, label=label)
    low, high = _band(results, floor)
    band = axes.fill_between(low[0], np.maximum(low[1], invisible), high[1], color=NETWORK)
    band.set(alpha=0.3, linewidth=0, label="its statistical error (68 %)")


def _band(results: Results, floor: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (2, P) signal efficiencies and lower ends of rates, and the same with upper ends."""
    roc, background = results.roc, results.background
    drawn = _vertices(roc, floor, _BAND_POINTS)
    drawn = drawn[roc.effective_background[drawn] >= results.minimum_effective_background]
    ends = np.zeros((len(drawn), 2))
    for row, threshold in enumerate(roc.threshold[drawn]):
        kept = background.score >= threshold
        interval = efficiency(background.weight, kept, background.slices, _BAND_DRAWS).interval
        ends[row] = interval.low, interval.high
    return np.stack([roc.tpr[drawn], ends[:, 0]]), np.stack([roc.tpr[drawn], ends[:, 1]])


def _draw_unsupported(axes: Axes, results: Results, floor: float) -> None:
    """Hatch the rates of which the sample tells limits alone, and draw these limits."""
    roc, minimum = results.roc, results.minimum_effective_background
    drawn = _vertices(roc, floor, _POINTS)
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


def _vertices(roc: Roc, floor: float, points: int) -> NDArray[np.int64]:
    """Return the vertices that the eye can tell apart, a thousand of perhaps millions."""
    rates = np.concatenate([[0.0], np.geomspace(floor / 10, 1.0, points)])
    by_fpr = np.searchsorted(roc.fpr, rates)
    by_tpr = np.searchsorted(roc.tpr, np.linspace(0, 1, points))
    return np.unique(np.minimum(np.concatenate([by_fpr, by_tpr]), len(roc.fpr) - 1))


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
    axes.plot([signal.value, kept], [network.rate] * 2, ":", color=MUTED, linewidth=1.5)
    axes.text(
        (signal.value + kept) / 2,
        network.rate * 1.15,
        rf"$\times$ {_in_words(comparison.ratio, comparison.ratio_interval)}",
        horizontalalignment="center",
        verticalalignment="bottom",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},
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
