"""All that the report and the figures are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

from baryon_hep.evaluator.comparison import Comparison
from baryon_hep.evaluator.efficiency import upper_limit
from baryon_hep.evaluator.events import Events
from baryon_hep.evaluator.roc import Point, Roc, at_tpr


@dataclass(frozen=True, slots=True)
class Results:
    """Events, their curve, and the comparison with the cuts."""

    events: Events
    roc: Roc
    comparison: Comparison | None
    """None if the cut flag is not known of all events."""
    minimum_effective_background: float
    """Fewer effective background events than this do not carry a false-positive rate."""

    def of_class(self, label: int) -> Events:
        """The events of one class, 1 signal or 0 background."""
        events: Events = self.events[self.events["label"] == label]
        return events

    @property
    def fpr_limit(self) -> float:
        """95 % upper limit on the false-positive rate of what keeps no background event."""
        return upper_limit(self.of_class(0)["weight"])

    def rejection(self, signal_efficiency: float) -> Rejection:
        """The background rejection at a signal efficiency."""
        return Rejection(signal_efficiency, at_tpr(self.roc, signal_efficiency), self.fpr_limit)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Background rejection 1 / FPR at a signal efficiency."""

    signal_efficiency: float
    point: Point
    fpr_limit: float

    @property
    def value(self) -> float:
        """NaN if no background event is left: then only `lower_limit` is known."""
        return 1 / self.point.fpr if self.point.fpr else math.nan

    @property
    def error(self) -> float:
        """Standard deviation at this threshold, of the sums of squared weights."""
        return self.value**2 * self.point.fpr_error

    @property
    def lower_limit(self) -> float:
        """At 95 %, if no background event is left."""
        return 1 / self.fpr_limit
