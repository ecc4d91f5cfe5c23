"""Compute the ROC curve of weighted events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baryon_hep.evaluator.efficiency import effective_events, upper_limit

SAME = 1e-9
"""Two sums of weights that differ by less, relatively, are one value summed in another order."""

_SERIES = [float(f"{digit}e{power}") for power in range(-12, 0) for digit in (1, 2, 5)]


@dataclass(frozen=True, slots=True)
class Roc:
    """ROC curve of V vertices, one for each distinct score, from (0, 0) to (1, 1).

    Events of equal score enter together, so that between two vertices the curve is the chord: what
    keeping a random part of the tied events would give. All arrays are (V,), ascending with the
    false-positive rate.
    """

    threshold: NDArray[np.float64]
    """The score down to which events are kept; +inf at the first vertex."""
    tpr: NDArray[np.float64]
    """Signal efficiency: share of the signal's weight kept."""
    fpr: NDArray[np.float64]
    """False-positive rate: share of the background's weight kept."""
    signal_squares: NDArray[np.float64]
    """Sum of w^2 of the signal kept, in units of the signal's (sum w)^2."""
    background_squares: NDArray[np.float64]
    """The same of the background."""

    heaviest_background: float
    """The largest weight of a background event, in units of the background's sum."""

    @property
    def effective_background(self) -> NDArray[np.float64]:
        """Number (V,) of events of equal weight that would tell the rate as well."""
        return effective_events(self.fpr, self.background_squares, self.heaviest_background)

    @property
    def fpr_limit(self) -> NDArray[np.float64]:
        """Upper limits (V,) at 95 % on the rates."""
        return upper_limit(self.fpr, self.background_squares, self.heaviest_background)


@dataclass(frozen=True, slots=True)
class Point:
    """A point on the curve, between two vertices where need be."""

    threshold: float
    """Every event with a higher score is kept."""
    part: float
    """Part that is kept of the events that have just this score."""
    tpr: float
    fpr: float
    effective_background: float
    """Number of background events of equal weight that would tell the rate as well."""

    def kept(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the part (N,) that is kept of events with `score` (N,)."""
        kept: NDArray[np.float64] = np.where(
            score == self.threshold, self.part, score > self.threshold
        )
        return kept


def roc_curve(
    score: NDArray[np.float64], weight: NDArray[np.float64], signal: NDArray[np.bool_]
) -> Roc:
    """Return the curve of weighted events.

    Parameters
    ----------
    score
        (N,) scores; signal ought to have higher ones.
    weight
        (N,) weights, none below 0; both classes must have some weight.
    signal
        (N,) whether an event is signal.

    """
    # Stable: sums of equal scores are then taken in one order, and rounded alike.
    order = np.argsort(-score, kind="stable")
    score = score[order]
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)

    def summed(of_event: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([[0.0], np.cumsum(of_event[order])[last]])

    of_signal, of_background = np.where(signal, weight, 0.0), np.where(signal, 0.0, weight)
    kept_signal, kept_background = summed(of_signal), summed(of_background)
    return Roc(
        threshold=np.concatenate([[np.inf], score[last]]),
        tpr=kept_signal / kept_signal[-1],
        fpr=kept_background / kept_background[-1],
        signal_squares=summed((of_signal / kept_signal[-1]) ** 2),
        background_squares=summed((of_background / kept_background[-1]) ** 2),
        heaviest_background=float(of_background.max() / kept_background[-1]),
    )


def at_fpr(roc: Roc, fpr: float) -> Point:
    """Return the point with the most signal at this false-positive rate, 0 to 1.

    It is the upper end of a vertical step of the curve, and on a chord only across ties.
    """
    # Without the tolerance rounding would decide whether the last background event counts.
    before = int(np.searchsorted(roc.fpr, fpr * (1 + SAME), side="right")) - 1
    # At a rate of 1 there is no vertex to come: the point is the end of the last chord.
    if before == len(roc.fpr) - 1:
        return _between(roc, before - 1, 1.0)
    width = roc.fpr[before + 1] - roc.fpr[before]
    return _between(roc, before, max(0.0, float((fpr - roc.fpr[before]) / width)))


def at_tpr(roc: Roc, tpr: float) -> Point:
    """Return the point with the least background at this signal efficiency, above 0 up to 1."""
    after = int(np.searchsorted(roc.tpr, tpr * (1 - SAME), side="left"))
    height = roc.tpr[after] - roc.tpr[after - 1]
    return _between(roc, after - 1, min(1.0, float((tpr - roc.tpr[after - 1]) / height)))


def _between(roc: Roc, vertex: int, part: float) -> Point:
    """Return the point `part` of the way along the chord that starts at a vertex."""

    def along(values: NDArray[np.float64]) -> float:
        return float(values[vertex] + part * (values[vertex + 1] - values[vertex]))

    fpr, squares = along(roc.fpr), along(roc.background_squares)
    return Point(
        threshold=float(roc.threshold[vertex + 1]),
        part=part,
        tpr=along(roc.tpr),
        fpr=fpr,
        effective_background=float(effective_events(fpr, squares, roc.heaviest_background)),
    )


def lowest_supported(roc: Roc, minimum: float) -> float | None:
    """Return the lowest supported rate of the series 1, 2, 5, 10 times powers of ten.

    From this rate on the curve rests on at least `minimum` effective background events. None if it
    does so nowhere below a rate of one half.
    """
    unsupported = np.flatnonzero(roc.effective_background < minimum)
    after = int(unsupported[-1]) + 1 if len(unsupported) else 0
    if after == len(roc.fpr) or roc.fpr[after] > max(_SERIES):
        return None
    return next(rate for rate in _SERIES if rate >= roc.fpr[after] * (1 - SAME))
