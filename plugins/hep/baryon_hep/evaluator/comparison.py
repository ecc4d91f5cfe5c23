"""The network against the physics cuts, at the cuts' own false-positive rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from baryon_hep.evaluator.bootstrap import Sample, bootstrap
from baryon_hep.evaluator.efficiency import Efficiency, efficiency
from baryon_hep.evaluator.events import Events
from baryon_hep.evaluator.roc import Point, Roc, at_fpr


@dataclass(frozen=True, slots=True)
class Comparison:
    """Signal efficiencies at one false-positive rate; NaN where the cuts keep no background."""

    cuts_signal: Efficiency
    cuts_background: Efficiency
    network: Point | None
    """None where the cuts keep no background: their false-positive rate is not known then."""
    signal_efficiency: float = math.nan
    signal_efficiency_error: float = math.nan
    ratio: float = math.nan
    """The network's signal efficiency over the cuts'; NaN where the cuts keep no signal."""
    ratio_error: float = math.nan


def compare(events: Events, roc: Roc, replicas: int, seed: int) -> Comparison:
    """The paper's measure: the curve's signal efficiency at the false-positive rate of the cuts.

    ("Deep Learning at 15PF", arXiv:1708.05256; interpolating the weighted curve there: reported.)
    """
    signal, background = (_sample(events[events["label"] == label]) for label in (1, 0))
    cuts_signal = efficiency(signal.weight, signal.passes)
    cuts_background = efficiency(background.weight, background.passes)
    if cuts_background.value == 0:
        return Comparison(cuts_signal, cuts_background, network=None)
    network = at_fpr(roc, cuts_background.value)
    error, ratio_error = bootstrap(signal, background, replicas, seed).errors()
    ratio = network.tpr / cuts_signal.value if cuts_signal.value else math.nan
    return Comparison(cuts_signal, cuts_background, network, network.tpr, error, ratio, ratio_error)


def _sample(events: Events) -> Sample:
    return Sample(events["score"], events["weight"], events["psr"] == 1)
