"""Find the slices in which a weighted sample was generated: events that weigh the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHARED_BY = 10
"""Events from which a weight that they share is a slice of its own; no slice has fewer."""
WIDTH = 4.0
"""Factor between the ends of a range into which all other weights are sliced."""


@dataclass(frozen=True, slots=True)
class Slices:
    """The J slices of a sample of N events."""

    of_event: NDArray[np.int64]
    """(N,) number of the slice that each event is in."""
    weight: NDArray[np.float64]
    """(J,) sum of the weights."""
    squares: NDArray[np.float64]
    """(J,) sum of their squares."""
    heaviest: float
    """Largest weight of an event."""

    def summed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum the values (N,) of the events of each slice (J,)."""
        return np.bincount(self.of_event, values, minlength=len(self.weight)).astype(np.float64)

    @property
    def unseen(self) -> NDArray[np.float64]:
        """Weight (J,) of an event that was not generated: sum w^2 / sum w of its slice."""
        return self.squares / self.weight


def slices(weight: NDArray[np.float64]) -> Slices:
    """Slice events by their weights (N,), none below 0 and not all 0.

    Cross-section times luminosity over the events tried is the same for every event of one slice.
    Continuous weights have no slices: they are cut into ranges of a factor of four.
    """
    values, value_of_event, events = np.unique(weight, return_inverse=True, return_counts=True)
    positive = values > 0
    is_slice = (events >= SHARED_BY) & positive
    # Ranges and shared weights are numbered apart, so that a lone weight joins no slice.
    key = np.arange(len(values))
    lone = positive & ~is_slice
    key[lone] = len(values) + _ranges(values[lone], events[lone])
    key[~positive] = key[positive][0]  # what weighs nothing may be in any slice
    _, slice_of_value = np.unique(key, return_inverse=True)
    of_event = slice_of_value[value_of_event].astype(np.int64)
    sums, squares = (np.bincount(of_event, weight**power).astype(np.float64) for power in (1, 2))
    return Slices(of_event, sums, squares, float(values[-1]))


def _ranges(values: NDArray[np.float64], events: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers (V,) of the ranges of V different weights, which so many events have.

    A range of few events is joined with the next lighter one.
    """
    # Of a slice of one event that event alone would tell whether all of the slice is kept, and seem
    # to know it.
    numbers, number_of_value = np.unique(
        np.floor(np.log2(values) / np.log2(WIDTH)), return_inverse=True
    )
    joined = np.zeros(len(numbers), np.int64)
    slice_number = held = 0
    for number, count in reversed(list(enumerate(np.bincount(number_of_value, events)))):
        joined[number] = slice_number
        held += count
        if held >= SHARED_BY:
            slice_number, held = slice_number + 1, 0
    if held:  # the lightest are too few
        joined[joined == slice_number] = max(0, slice_number - 1)
    return joined[number_of_value]
