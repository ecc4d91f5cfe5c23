"""Rows picked out of decoded chunks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from baryon.data.sampling import Rows
from baryon.interfaces import Arrays

WIDE = 2048
"""Bytes of a sample from which on samples are copied one by one, with no copy in between."""


def collate(
    rows: Rows,
    chunks: Iterable[tuple[int, int, Arrays]],
    into: Mapping[str, np.ndarray[Any, Any]],
) -> None:
    """Copy rows, in their order, `into` arrays by field.

    Each of the chunks is its first row, the one after its last, and what they hold.
    """
    for start, stop, decoded in chunks:
        here = np.flatnonzero((rows >= start) & (rows < stop))
        there = rows[here] - start
        for name, values in into.items():
            _copy(decoded[name], there, values, here)


def _copy(
    source: np.ndarray[Any, Any], there: Rows, target: np.ndarray[Any, Any], here: Rows
) -> None:
    """`target[here] = source[there]`."""
    if source[:1].nbytes < WIDE:
        target[here] = source[there]
        return
    for to, of in zip(here.tolist(), there.tolist(), strict=True):
        target[to] = source[of]
