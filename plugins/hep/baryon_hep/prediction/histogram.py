"""Draw a histogram of scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from baryon_hep.evaluator.palette import SIGNAL

FARTHEST, FINE = 60.0, 12_000
"""Log-odds beyond which all fall into the last bin, and bins before it is known which are drawn."""
DRAWN = 60
DOTS_PER_INCH = 150


class Histogram:
    """Counts in fine bins, of which the picture joins some: the range is known at the end only."""

    def __init__(self) -> None:
        self._counts = np.zeros(FINE, np.int64)

    def fill(self, score: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        """Count scores (N,), which are log-odds."""
        inside = np.clip(score, -FARTHEST, FARTHEST)
        self._counts += np.histogram(inside, FINE, (-FARTHEST, FARTHEST))[0]

    def save(self, path: Path) -> None:
        """Draw the range that has events in it, as a PNG."""
        from matplotlib.figure import Figure

        edges, counts = self._joined()
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        axes = figure.add_subplot()
        axes.stairs(counts, edges, fill=True, color=SIGNAL, alpha=0.35)
        axes.stairs(counts, edges, color=SIGNAL, linewidth=1.5)
        axes.axvline(0, color="0.4", linestyle="--", linewidth=1)
        axes.set_yscale("log")
        axes.set(
            xlim=(edges[0], edges[-1]),
            xlabel=r"Score: log-odds $\ln\,p/(1-p)$ of being signal",
            ylabel=f"Events per {edges[1] - edges[0]:.2g} of log-odds",
            title=f"{counts.sum():,} events, not weighted",
        )
        figure.savefig(path, dpi=DOTS_PER_INCH)

    def _joined(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return edges and counts of the bins that are drawn."""
        filled = np.flatnonzero(self._counts)
        first, last = (int(filled[0]), int(filled[-1]) + 1) if len(filled) else (0, FINE)
        width = -(-(last - first) // DRAWN)
        counts = np.add.reduceat(self._counts[first:last], np.arange(0, last - first, width))
        step = 2 * FARTHEST / FINE
        return -FARTHEST + step * (first + width * np.arange(len(counts) + 1)), counts
