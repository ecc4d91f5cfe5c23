"""Compare the network with the physics cuts, at the cuts' own false-positive rate."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from baryon_hep.evaluator.bootstrap import Sample, bootstrap
from baryon_hep.evaluator.efficiency import Efficiency, Interval, central, efficiency
from baryon_hep.evaluator.events import Events
from baryon_hep.evaluator.roc import Point, Roc, at_fpr, lowest_supported
from baryon_hep.evaluator.slices import slices


@dataclass(frozen=True, slots=True)
class AtRate:
    """The network at a false-positive rate."""

    rate: float
    point: Point
    background: Efficiency
    """Background that the network keeps there."""
    signal: Interval
    """Intervals of its signal efficiency, which include what is not known of the threshold."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Signal efficiencies at the false-positive rate of the cuts."""

    cuts_signal: Efficiency
    cuts_background: Efficiency
    network: AtRate | None
    """None where too little background passes to tell the cuts' rate or the network's."""
    ratio: float = math.nan
    """The network's signal efficiency over the cuts'; NaN where the cuts keep no signal."""
    ratio_interval: Interval = field(default_factory=Interval)


@dataclass(frozen=True, slots=True)
class Replication:
    """How the intervals of the comparison are drawn."""

    replicas: int
    seed: int
    minimum_effective_background: float
    """Number of effective background events below which nothing but a limit is stated."""


def compare(signal: Sample, background: Sample, roc: Roc, how: Replication) -> Comparison:
    """Return the signal efficiencies at the false-positive rate of the cuts, the paper's measure.

    Source: "Deep Learning at 15PF", arXiv:1708.05256; interpolating the weighted curve: reported.
    """
    cuts_signal, cuts = (
        efficiency(sample.weight, sample.passes, sample.slices) for sample in (signal, background)
    )
    point = at_fpr(roc, cuts.value)
    effective = min(cuts.effective_events, point.effective_background)
    if effective < how.minimum_effective_background:
        return Comparison(cuts_signal, cuts, network=None)
    # Network and cuts are tested on the same events: their ratio is known better than either rate.
    drawn = bootstrap(signal, background, how.replicas, how.seed)
    network = _at_rate(cuts.value, point, background, drawn.network)
    ratio = point.tpr / cuts_signal.value if cuts_signal.value else math.nan
    return Comparison(cuts_signal, cuts, network, ratio, central(drawn.ratio, ratio))


def at_lowest_rate(signal: Sample, background: Sample, roc: Roc, how: Replication) -> AtRate | None:
    """Return the network at the lowest false-positive rate that the background supports, if any."""
    rate = lowest_supported(roc, how.minimum_effective_background)
    if rate is None:
        return None
    drawn = bootstrap(signal, background, how.replicas, how.seed, rate)
    return _at_rate(rate, at_fpr(roc, rate), background, drawn.network)


def samples(events: Events) -> tuple[Sample, Sample]:
    """Divide events into signal and background."""
    signal, background = (_sample(events[events["label"] == label]) for label in (1, 0))
    return signal, background


def _sample(events: Events) -> Sample:
    weight = events["weight"]
    return Sample(events["score"], weight, events["psr"] == 1, slices(weight))


def _at_rate(rate: float, point: Point, background: Sample, signal: NDArray[np.float64]) -> AtRate:
    kept = point.kept(background.score)
    return AtRate(
        rate=rate,
        point=point,
        background=efficiency(background.weight, kept, background.slices),
        signal=central(signal, point.tpr),
    )
