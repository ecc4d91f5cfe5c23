"""Draw a histogram of scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from baryon import figures
from baryon_hep.evaluator.palette import SIGNAL

FARTHEST = 60.0
"""Log-odds beyond which all events fall into the last bin."""
FINE_BINS = 12_000
"""Bins that are counted; some are joined to each bin that is drawn."""
DRAWN_BINS = 60
"""Bins that are drawn, at most."""


class Histogram:
    """Counts of scores in fine bins, joined to wider ones when the range of all is known."""

    def __init__(self) -> None:
        self._counts = np.zeros(FINE_BINS, np.int64)

    def fill(self, score: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        """Count scores (N,), which are log-odds."""
        inside = np.clip(score, -FARTHEST, FARTHEST)
        self._counts += np.histogram(inside, FINE_BINS, (-FARTHEST, FARTHEST))[0]

    def save(self, path: Path) -> None:
        """Draw the range of scores that occur, as a PNG."""
        edges, counts = self._joined()
        with figures.style():
            self._draw(path, edges, counts)

    def _draw(self, path: Path, edges: np.ndarray[Any, Any], counts: np.ndarray[Any, Any]) -> None:
        figure = figures.new(7, 4.2, "Scores of the events, not weighted")
        axes = figure.add_subplot()
        axes.stairs(counts, edges, fill=True, color=SIGNAL, alpha=0.35)
        axes.stairs(counts, edges, color=SIGNAL, linewidth=1.5)
        axes.axvline(0, color="0.4", linestyle="--", linewidth=1)
        axes.set_yscale("log")
        axes.set(
            xlim=(edges[0], edges[-1]),
            xlabel=r"Score: log-odds $\ln\,p/(1-p)$ of being signal",
            ylabel=f"Events per {edges[1] - edges[0]:.2g} of log-odds",
        )
        figures.label_sample(axes, "Prediction", f"{counts.sum():,} events, not weighted")
        figure.savefig(path, dpi=figures.DOTS_PER_INCH)

    def _joined(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return edges and counts of the bins that are drawn."""
        filled = np.flatnonzero(self._counts)
        first, last = (int(filled[0]), int(filled[-1]) + 1) if len(filled) else (0, FINE_BINS)
        width = -(-(last - first) // DRAWN_BINS)
        counts = np.add.reduceat(self._counts[first:last], np.arange(0, last - first, width))
        step = 2 * FARTHEST / FINE_BINS
        return -FARTHEST + step * (first + width * np.arange(len(counts) + 1)), counts
