"""The points of a ROC curve that are drawn, with the ends of its band."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from baryon.interfaces import Curve
from baryon_hep.evaluator.efficiency import efficiency
from baryon_hep.evaluator.results import Results
from baryon_hep.evaluator.roc import Roc

POINTS = 500
_BAND_POINTS = 60
_BAND_DRAWS = 4_000
_COMPARED_POINTS = 200
"""Points of the curve that is drawn over those of other runs."""
Floats: TypeAlias = NDArray[np.float64]


def roc_points(results: Results) -> Curve:
    """Return the false-positive rate over the signal efficiency, with its 68 % band."""
    roc = results.roc
    lowest = lowest_rate(roc)
    drawn = vertices(roc, lowest, _COMPARED_POINTS)
    drawn = drawn[roc.fpr[drawn] > 0]  # the axis is logarithmic
    (efficiencies, low), (_, high) = band_ends(results, lowest)
    tpr = roc.tpr[drawn]
    # Where too little background is left the band is not known, and is left out.
    known = (tpr >= efficiencies.min()) if len(efficiencies) else np.zeros(len(tpr), bool)
    ends = [
        np.where(known, np.interp(tpr, efficiencies, end), np.nan) if known.any() else tpr * np.nan
        for end in (low, high)
    ]
    return Curve(
        x=tpr.tolist(),
        y=roc.fpr[drawn].tolist(),
        low=ends[0].tolist(),
        high=ends[1].tolist(),
        x_label="Signal efficiency (true-positive rate)",
        y_label="Background efficiency (false-positive rate)",
        log=True,
    )


def lowest_rate(roc: Roc) -> float:
    """Return the lowest rate of the axis, a third of that of one effective background event."""
    # No selection of this sample tells a lower rate.
    return float(roc.background_squares[-1]) / 3


def band_ends(results: Results, floor: float) -> tuple[Floats, Floats]:
    """Return (2, P) signal efficiencies and lower ends of rates, and the same with upper ends."""
    roc, background = results.roc, results.background
    drawn = vertices(roc, floor, _BAND_POINTS)
    drawn = drawn[roc.effective_background[drawn] >= results.minimum_effective_background]
    ends = np.zeros((len(drawn), 2))
    for row, threshold in enumerate(roc.threshold[drawn]):
        kept = background.score >= threshold
        interval = efficiency(background.weight, kept, background.slices, _BAND_DRAWS).interval
        ends[row] = interval.low, interval.high
    return np.stack([roc.tpr[drawn], ends[:, 0]]), np.stack([roc.tpr[drawn], ends[:, 1]])


def vertices(roc: Roc, floor: float, points: int) -> NDArray[np.int64]:
    """Return the vertices that the eye can tell apart, a thousand of perhaps millions."""
    rates = np.concatenate([[0.0], np.geomspace(floor / 10, 1.0, points)])
    by_fpr = np.searchsorted(roc.fpr, rates)
    by_tpr = np.searchsorted(roc.tpr, np.linspace(0, 1, points))
    return np.unique(np.minimum(np.concatenate([by_fpr, by_tpr]), len(roc.fpr) - 1))
