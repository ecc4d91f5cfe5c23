"""Estimate the area under the ROC curve, and how well it is known.

The area is one less the mean share of the other class on an event's wrong side. Its variance is
that of DeLong et al. (Biometrics 44 (1988) 837), slice by slice. Near an area of one that mean
rests on a few misplaced events, and its distribution is skewed: it is taken as a gamma
distribution, the scaled Poisson of Bohm and Zech. Besides, half an event of each class was not
seen, over all of its slices, that is misplaced as the worst of those seen: what few events leave
open, and an area of exactly one is no certainty. What it covers is told in docs/hep-results.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from baryon_hep.evaluator.bootstrap import Sample
from baryon_hep.evaluator.efficiency import CENTRAL_68, CENTRAL_95, Interval, around
from baryon_hep.evaluator.roc import Roc

UNSEEN = 0.5
"""Number of unseen events of each class."""


@dataclass(frozen=True, slots=True)
class Area:
    """The area under a curve."""

    value: float
    interval: Interval


def area(roc: Roc) -> float:
    """Return the area under the curve.

    It is the weighted probability that a signal event has a higher score than a background event,
    where a tie counts one half (Mann-Whitney).
    """
    # The chords across ties count them as one half.
    return float(np.trapezoid(roc.tpr, roc.fpr))


def area_with_interval(roc: Roc, signal: Sample, background: Sample) -> Area:
    """Return the area and its central intervals; `roc` is the curve of the two classes."""
    value = area(roc)
    background_above = _share_above(signal.score, roc, roc.fpr)
    signal_below = 1 - _share_above(background.score, roc, roc.tpr)
    # Below one half the small part, which a few events decide, is the area itself.
    inverted = value < 0.5
    small = value if inverted else 1 - value
    variance = 0.0
    for sample, misplaced in ((signal, background_above), (background, signal_below)):
        of_class, unseen = _known(sample, 1 - misplaced if inverted else misplaced)
        variance, small = variance + of_class, small + unseen
    scale = variance / small
    ends = np.minimum(1.0, scale * gammaincinv(small / scale, CENTRAL_68 + CENTRAL_95))
    if not inverted:
        ends = 1 - ends[[1, 0, 3, 2]]
    return Area(value, around(value, *ends.tolist()))


def _share_above(
    score: NDArray[np.float64], roc: Roc, rate: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share (N,) of a class that lies above each score, where ties count one half.

    `rate` (V,) is the share of that class at the vertices of the curve.
    """
    vertex = np.searchsorted(-roc.threshold, -score)
    share: NDArray[np.float64] = (rate[vertex] + rate[vertex - 1]) / 2
    return share


def _known(sample: Sample, misplaced: NDArray[np.float64]) -> tuple[float, float]:
    """Return the variance of the mean of `misplaced` (N,), and what unseen events add to it."""
    slices, weight = sample.slices, sample.weight / sample.slices.weight.sum()
    mean = slices.summed(sample.weight * misplaced) / slices.weight
    variance = float(np.sum((weight * (misplaced - mean[slices.of_event])) ** 2))
    # Where none is misplaced nothing tells how badly one may be.
    worst = float(misplaced[weight > 0].max()) or 1.0
    unseen = worst * slices.unseen / slices.weight.sum()
    events = UNSEEN / len(unseen)
    return variance + events * float(unseen @ unseen), events * float(unseen.sum())
