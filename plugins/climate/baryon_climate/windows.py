"""Windows of consecutive time steps: which of them has the labels."""

from __future__ import annotations


def labelled_step(steps: int) -> int:
    """Of a window of so many steps: the middle one, of an even number the later of the two."""
    return steps // 2
