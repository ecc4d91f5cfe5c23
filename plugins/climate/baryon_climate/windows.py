"""Windows of consecutive time steps: which of them has the labels."""

from __future__ import annotations


def labelled_step(steps: int) -> int:
    """Return the labelled step of a window: the middle one, of an even number the later of two."""
    return steps // 2
