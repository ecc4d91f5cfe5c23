"""Estimate how much of a weighted sample a selection keeps, and how well that is known.

The sample was generated in slices whose events weigh differently. A slice of which no event was
kept may still hold most of what the selection keeps in truth, so it counts with what may have been
missed, not as zero with no error.

* Interval: the kept share of each of the J slices has the posterior Beta(k + 1/J, n - k + 1/J) of k
  events kept of n, so that all slices together count one kept event more than was seen (after the
  overall prior of Berger, Bernardo and Sun, Bayesian Analysis 10 (2015) 189, section 3). The
  posterior of the weighted sum is drawn; its quantiles are the ends. Of equal weights it is the
  Beta interval of Bayes and Laplace. What it covers is told in docs/hep-results.md.
* Limit: the gamma limit of Fay and Feuer (Statistics in Medicine 16 (1997) 791) for a weighted sum
  of Poisson counts, which adds an unseen event of the largest weight. Of equal weights it is the
  classical Poisson limit, 3.0 events when none is seen.

Weights that differ within a slice are scaled: a sum of weights counts as (sum w)^2 / sum w^2 events
of weight sum w^2 / sum w (Bohm and Zech, Nucl. Instrum. Meth. A 748 (2014) 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from baryon_hep.evaluator.slices import Slices

CENTRAL_68, CENTRAL_95 = (0.158655, 0.841345), (0.025, 0.975)
"""Quantiles that end the central intervals of one and of two standard deviations."""
LIMIT_LEVEL = 0.95
DRAWS = 20_000
"""Draws of a posterior; the ends of its 68 % interval are then known to 1 % of its width."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The central intervals of a quantity."""

    low: float = np.nan
    """Lower end of the 68 % interval."""
    high: float = np.nan
    """Upper end of the 68 % interval."""
    low_95: float = np.nan
    """Lower end of the 95 % interval."""
    high_95: float = np.nan
    """Upper end of the 95 % interval."""


@dataclass(frozen=True, slots=True)
class Efficiency:
    """The kept share of a sample's weight."""

    value: float
    """Kept weight over all weight, 0 to 1."""
    interval: Interval
    limit: float
    """Upper limit at 95 %."""
    events: int
    """Number of events kept, unweighted."""
    effective_events: float
    """Number of events of equal weight that would tell the share as well (`effective_events`)."""


def efficiency(
    weight: NDArray[np.float64],
    kept: NDArray[np.float64] | NDArray[np.bool_],
    slices: Slices,
    draws: int = DRAWS,
) -> Efficiency:
    """Return the share of a sample's weight that a selection keeps.

    Parameters
    ----------
    weight
        (N,) weights of the events.
    kept
        (N,) part of each event that is kept, 0 to 1.
    slices
        Slices of the sample.
    draws
        Draws of the posterior from which the interval is taken.

    """
    selected = _Sums(slices.summed(weight * kept), slices.summed(weight**2 * kept))
    total = float(slices.weight.sum())
    value = min(1.0, float(selected.weight.sum()) / total)
    squares, heaviest = selected.squares.sum() / total**2, slices.heaviest / total
    # Always the same draws, so that a figure is the same whenever it is asked for.
    drawn = _posterior(selected, slices, np.random.default_rng(0), draws)
    return Efficiency(
        value=value,
        interval=central(drawn, value),
        limit=float(upper_limit(value, squares, heaviest)),
        events=round(float(np.sum(kept))),
        effective_events=float(effective_events(value, squares, heaviest)),
    )


def effective_events(
    share: NDArray[np.float64] | float,
    squares: NDArray[np.float64] | float,
    heaviest: NDArray[np.float64] | float,
) -> NDArray[np.float64]:
    """Count the events of equal weight that would tell a kept share as well; 0 for none.

    (y + h)^2 / (v + h^2) - 1 with the kept `share` y, its sum of squared weights v and the largest
    weight h of any event, kept or not, in units of all weight: the shape of the gamma distribution
    of Fay and Feuer, less the event that it adds. Of equal weights it is their number. Unlike
    (sum w)^2 / sum w^2 it is small when only light events of a sample with heavy ones were kept.
    """
    share = np.asarray(share)
    effective = (share + heaviest) ** 2 / (squares + np.square(heaviest)) - 1
    return np.asarray(np.round(effective, 9))  # so that ten of equal weight are ten, and none is 0


def upper_limit(
    share: NDArray[np.float64] | float,
    squares: NDArray[np.float64] | float,
    heaviest: NDArray[np.float64] | float,
) -> NDArray[np.float64]:
    """Return the 95 % upper limit on a kept share; arguments are those of `effective_events`."""
    mean, variance = np.asarray(share) + heaviest, squares + np.square(heaviest)
    scale = variance / mean
    limit: NDArray[np.float64] = np.minimum(1.0, scale * gammaincinv(mean / scale, LIMIT_LEVEL))
    return limit


def central(drawn: NDArray[np.float64], value: float) -> Interval:
    """Return the central intervals of draws (R,), wide enough to hold the estimate `value`.

    Their ends are NaN if a draw or the estimate is not finite.
    """
    if not np.isfinite(value) or not np.isfinite(drawn).all():
        return Interval()
    return around(value, *np.quantile(drawn, CENTRAL_68 + CENTRAL_95).tolist())


def around(value: float, low: float, high: float, low_95: float, high_95: float) -> Interval:
    """Return intervals with these ends, but that they hold the estimate and lie in each other."""
    below, above = min(low, value), max(high, value)
    return Interval(below, above, min(low_95, below), max(high_95, above))


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums over the selected events of each of the J slices."""

    weight: NDArray[np.float64]
    """(J,) sums of weights."""
    squares: NDArray[np.float64]
    """(J,) sums of squared weights."""


def _posterior(
    selected: _Sums, slices: Slices, rng: np.random.Generator, draws: int
) -> NDArray[np.float64]:
    """Draw the selected share of all weight (draws,) from its posterior."""
    rest = _Sums(
        np.maximum(slices.weight - selected.weight, 0.0),
        np.maximum(slices.squares - selected.squares, 0.0),
    )
    passing, failing = (_scaled_gamma(sums, slices, rng, draws) for sums in (selected, rest))
    shares = passing / (passing + failing)
    drawn: NDArray[np.float64] = shares @ (slices.weight / slices.weight.sum())
    return drawn


def _scaled_gamma(
    sums: _Sums, slices: Slices, rng: np.random.Generator, draws: int
) -> NDArray[np.float64]:
    """Draw weights (draws, J) of each slice from scaled Poisson posteriors."""
    some = (sums.weight > 0) & (sums.squares > 0)
    scale = np.divide(sums.squares, sums.weight, out=slices.unseen.copy(), where=some)
    events = np.where(some, sums.weight, 0.0) / scale
    size = (draws, len(sums.weight))
    # The unseen event weighs what those of its slice do, even if only lighter ones were kept.
    seen = scale * rng.gamma(events, size=size)
    unseen = slices.unseen * rng.gamma(prior(slices), size=size)
    tiny = np.finfo(float).tiny  # a gamma of a small shape may be rounded to zero
    return np.maximum(seen + unseen, slices.unseen * tiny)


def prior(slices: Slices) -> float:
    """Return the number of unseen events of each slice: 1 / J for each of J slices, one in all."""
    # Sums of squared weights give a slice without a passing event the error 0, and intervals that
    # cover too seldom; a whole unseen event in each slice makes them too wide.
    return 1 / len(slices.weight)
