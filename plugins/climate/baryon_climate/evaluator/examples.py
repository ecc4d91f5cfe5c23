"""The few frames that are shown on a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from baryon_climate.evaluator.frames import Floats, Frame


@dataclass(frozen=True, slots=True)
class Example:
    """A frame and its water vapour."""

    frame: Frame
    vapour: NDArray[np.float32]
    """(H, W) kg/m2."""
    calendar: str
    synthetic: bool

    @property
    def rank(self) -> tuple[int, int]:
        """The more kinds of events the earlier, then the more events, then by row."""
        return -len(set(self.frame.truth.classes.tolist())), -len(self.frame.truth)

    @property
    def order(self) -> tuple[tuple[int, int], int]:
        """Of which the first are kept, whoever saw them."""
        return self.rank, self.frame.key


@dataclass
class Examples:
    """The frames with most kinds of events, at most `most`."""

    most: int
    kept: list[Example] = field(default_factory=list)

    def offer(self, frame: Frame, vapour: Floats, calendar: str, *, synthetic: bool) -> None:
        """Keep it if it is among the first."""
        if self.most:
            self.merge([Example(frame, vapour.astype(np.float32), calendar, synthetic)])

    def merge(self, others: Sequence[Example]) -> None:
        """Take in another's."""
        self.kept = sorted([*self.kept, *others], key=lambda one: one.order)[: self.most]
