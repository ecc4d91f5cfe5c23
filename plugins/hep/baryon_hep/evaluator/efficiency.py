"""How much of a weighted sample a selection keeps, and how well that is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ZERO_EVENTS_LIMIT = -math.log(0.05)
"""Poisson mean (3.0) that gives no event in 5 % of cases: the 95 % limit when none is seen."""


@dataclass(frozen=True, slots=True)
class Efficiency:
    """The kept share of a sample's weight."""

    value: float
    """Kept weight over all weight, 0 to 1."""
    error: float
    """Its standard deviation, of the sums of squared weights."""
    events: int
    """Number of events kept, unweighted."""
    effective_events: float
    """(sum w)^2 / sum w^2 of those kept."""


def efficiency(weight: NDArray[np.float64], kept: NDArray[np.bool_]) -> Efficiency:
    """Of events with `weight` (N,), not all zero, those that are `kept` (N,)."""
    share = float(weight[kept].sum() / weight.sum())
    squares = weight**2 / weight.sum() ** 2
    error = share_error(share, squares[kept].sum(), squares.sum())
    return Efficiency(share, float(error), int(kept.sum()), effective_events(weight[kept]))


def effective_events(weight: NDArray[np.float64]) -> float:
    """(sum w)^2 / sum w^2: how many events of equal weight would fluctuate as much; 0 for none."""
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares else 0.0


def upper_limit(weight: NDArray[np.float64]) -> float:
    """95 % upper limit on the share that a selection keeps when it kept none of these events.

    3.0 / n_eff of the whole sample: what it would be if all its events weighed the same.
    """
    return min(1.0, ZERO_EVENTS_LIMIT / effective_events(weight))


def share_error(
    share: NDArray[np.float64] | float, kept: NDArray[np.float64], total: float
) -> NDArray[np.float64]:
    """Standard deviation of a kept share f = K / (K + R), with sum w^2 the variance of K and of R.

    sqrt((1-f)^2 kept + f^2 (total - kept)), where `kept` and `total` are sums of squared weights in
    units of the squared total weight. With equal weights it is the binomial sqrt(f (1-f) / N).
    """
    share = np.asarray(share)
    return np.sqrt((1 - share) ** 2 * kept + share**2 * np.maximum(total - kept, 0.0))
