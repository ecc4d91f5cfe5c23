"""Choose the few frames that are shown on maps."""

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
        """Rank frames with more kinds of events first, then those with more events."""
        return -len(set(self.frame.truth.classes.tolist())), -len(self.frame.truth)

    @property
    def order(self) -> tuple[tuple[int, int], int]:
        """Order by rank, then by row: the same choice on any number of ranks."""
        return self.rank, self.frame.key


@dataclass
class Examples:
    """The frames with most kinds of events, at most `most`."""

    most: int
    examples: list[Example] = field(default_factory=list)

    def offer(self, frame: Frame, vapour: Floats, calendar: str, *, synthetic: bool) -> None:
        """Keep a frame if it is among the first `most`."""
        if self.most:
            self.merge([Example(frame, vapour.astype(np.float32), calendar, synthetic)])

    def merge(self, examples: Sequence[Example]) -> None:
        """Add examples, of another rank for instance, and keep the first `most` of all."""
        ranked = sorted([*self.examples, *examples], key=lambda example: example.order)
        self.examples = ranked[: self.most]
