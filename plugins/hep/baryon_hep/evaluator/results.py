"""Hold all that the report and the figures are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

from baryon_hep.evaluator.area import Area
from baryon_hep.evaluator.bootstrap import Sample
from baryon_hep.evaluator.comparison import AtRate, Comparison
from baryon_hep.evaluator.efficiency import Efficiency, efficiency
from baryon_hep.evaluator.events import Events
from baryon_hep.evaluator.roc import Roc, at_tpr


@dataclass(frozen=True, slots=True)
class Results:
    """Evaluated events, their curve, and the comparison with the cuts."""

    events: Events
    background: Sample
    roc: Roc
    area: Area
    comparison: Comparison | None
    """None if the cut flag is not known of all events."""
    lowest: AtRate | None
    """The network at the lowest false-positive rate that the background supports."""
    minimum_effective_background: float
    """Number of effective background events below which only a limit is stated."""

    def of_class(self, label: int) -> Events:
        """Return the events of one class, 1 signal or 0 background."""
        events: Events = self.events[self.events["label"] == label]
        return events

    def rejection(self, signal_efficiency: float) -> Rejection:
        """Return the background rejection at a signal efficiency."""
        point = at_tpr(self.roc, signal_efficiency)
        sample = self.background
        kept = efficiency(sample.weight, point.kept(sample.score), sample.slices)
        supported = kept.effective_events >= self.minimum_effective_background
        return Rejection(signal_efficiency, kept, supported)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Background rejection 1 / FPR at a signal efficiency."""

    signal_efficiency: float
    kept: Efficiency
    supported: bool
    """Whether enough background is left for a value; else only `lower_limit` is known."""

    @property
    def value(self) -> float:
        """1 / FPR; NaN if too little background is left."""
        return 1 / self.kept.value if self.supported else math.nan

    @property
    def ends(self) -> tuple[float, float]:
        """Ends of the 68 % interval; NaN if too little background is left."""
        if not self.supported:
            return math.nan, math.nan
        return 1 / self.kept.interval.high, 1 / self.kept.interval.low

    @property
    def lower_limit(self) -> float:
        """Lower limit at 95 %."""
        return 1 / self.kept.limit
