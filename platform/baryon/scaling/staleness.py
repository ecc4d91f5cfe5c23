"""Count the updates by other groups that each gradient misses."""

from __future__ import annotations

import numpy as np

Seconds = np.ndarray[tuple[int, int], np.dtype[np.float64]]


def staleness(step_seconds: Seconds) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the staleness of the updates of all groups, one number an update.

    A group's gradient is computed with the weights that it got at the end of its step before; stale
    it is by the updates that others made until it is applied, at the end of its own step.

    Parameters
    ----------
    step_seconds
        Seconds of each step of each group, (steps, groups).

    """
    ends = np.cumsum(step_seconds, axis=0)
    # Later than the end of the fastest group's last step, not all groups are there to count.
    until = ends[-1].min()
    order = np.sort(ends, axis=None)
    rank = np.searchsorted(order, ends, side="left")
    missed = np.diff(rank, axis=0) - 1
    # Groups that end at the very same instant have one rank: none of them is ahead of another.
    return np.asarray(np.maximum(missed[ends[1:] <= until], 0), dtype=np.int64)
