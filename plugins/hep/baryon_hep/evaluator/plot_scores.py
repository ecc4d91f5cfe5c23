"""Draw the weighted distributions of the score."""

from __future__ import annotations

import hist
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from numpy.typing import NDArray

from baryon.figures import legend_in_headroom, new
from baryon.terminal.rounding import short
from baryon_hep.evaluator.events import Events
from baryon_hep.evaluator.palette import BACKGROUND, MUTED, SIGNAL
from baryon_hep.evaluator.results import Results
from baryon_hep.evaluator.sample_label import SampleLabel

_BINS = 20, 60  # fewest and most
_DECADES = 8
_CLOSEST = 1 / 9  # distance of two ticks over the axis at which their labels do not touch
_PROBABILITIES = {  # the first ones have precedence where there is not room for all
    "0.5": 0.5,
    "$10^{-4}$": 1e-4,
    "$1-10^{-4}$": 1 - 1e-4,
    "0.01": 0.01,
    "0.99": 0.99,
    "$10^{-6}$": 1e-6,
    "$1-10^{-6}$": 1 - 1e-6,
    "0.1": 0.1,
    "0.9": 0.9,
}


def draw_scores(results: Results, label: SampleLabel) -> Figure:
    """Draw both classes over the log-odds, each of unit area, with sqrt(sum w^2) errors."""
    figure = new(7, 5.6, "Weighted score distributions of signal and background")
    axes = figure.add_subplot()
    edges = _edges(results.events["score"])
    heights = [
        _draw_class(axes, results.of_class(0), edges, BACKGROUND, "background", filled=True),
        _draw_class(axes, results.of_class(1), edges, SIGNAL, "signal", filled=False),
    ]
    top = max(height.max() for height in heights)
    least = min(height[height > 0].min() for height in heights)
    axes.set_yscale("log")
    axes.set(xlim=(edges[0], edges[-1]), ylim=(max(least / 3, top / 10**_DECADES), top * 2))
    axes.set_xlabel(r"Score: log-odds $\ln\,p/(1-p)$ of being signal")
    axes.set_ylabel("Share of weight per unit of log-odds")
    _draw_threshold(axes, results)
    _add_probabilities(axes)
    legend_in_headroom(axes)
    label.draw(axes, len(results.events))
    return figure


def _edges(score: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = float(score.min()), float(score.max())
    margin = 0.02 * (high - low) or 1.0
    bins = int(np.clip(np.sqrt(len(score)), *_BINS))
    return np.linspace(low - margin, high + margin, bins + 1)


def _density(
    events: Events, edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return density and error (bins,) of a class."""
    histogram = hist.Hist(hist.axis.Variable(edges), storage=hist.storage.Weight())
    histogram.fill(events["score"], weight=events["weight"])
    scale = 1 / (np.diff(edges) * events["weight"].sum())
    return histogram.values() * scale, np.sqrt(histogram.variances()) * scale


def _draw_class(
    axes: Axes, events: Events, edges: NDArray[np.float64], color: str, name: str, *, filled: bool
) -> NDArray[np.float64]:
    """Draw one class and return its densities (bins,)."""
    density, error = _density(events, edges)
    label = f"{name} ({len(events):,} events)"
    face = to_rgba(color, 0.4) if filled else "none"
    axes.stairs(
        density, edges, fill=True, facecolor=face, edgecolor=color, linewidth=2, label=label
    )
    filled_bins, centre = density > 0, (edges[1:] + edges[:-1]) / 2
    axes.errorbar(
        centre[filled_bins], density[filled_bins], error[filled_bins], fmt="none", color=color
    )
    return density


def _draw_threshold(axes: Axes, results: Results) -> None:
    at_cuts = results.comparison.network if results.comparison else None
    network = at_cuts or results.lowest
    if network and np.isfinite(network.point.threshold):
        label = "threshold at cuts' FPR" if at_cuts else f"threshold at FPR {short(network.rate)}"
        # No higher than the data: the legend is above them.
        axes.vlines(
            network.point.threshold, *axes.get_ylim(), color=MUTED, linestyle="--", label=label
        )


def _add_probabilities(axes: Axes) -> None:
    """Add an axis on top with the probabilities that belong to the log-odds below."""
    low, high = axes.get_xlim()
    shown: dict[str, float] = {}
    for text, probability in _PROBABILITIES.items():
        odds = float(np.log(probability / (1 - probability)))
        gap = min((abs(odds - other) for other in shown.values()), default=np.inf)
        if low < odds < high and gap > _CLOSEST * (high - low):
            shown[text] = odds
    axes.tick_params(axis="x", which="both", top=False)
    top = axes.secondary_xaxis("top")
    top.set_xticks(list(shown.values()), list(shown))
    top.minorticks_off()
    top.set_xlabel("Probability $p$ of being signal (softmax)")
