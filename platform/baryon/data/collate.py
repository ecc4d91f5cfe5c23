"""Pick the rows of a batch out of decoded chunks."""

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
    """Copy rows of decoded chunks into the arrays of a batch.

    Parameters
    ----------
    rows
        (N,) row numbers, in the order of the batch.
    chunks
        First row of each chunk, one past its last row, and its arrays by field.
    into
        Arrays (N, ...) by field, which are filled.

    """
    for start, stop, decoded in chunks:
        positions = np.flatnonzero((rows >= start) & (rows < stop))
        offsets = rows[positions] - start
        for name, values in into.items():
            _copy(decoded[name], offsets, values, positions)


def _copy(
    source: np.ndarray[Any, Any], offsets: Rows, target: np.ndarray[Any, Any], positions: Rows
) -> None:
    """Do `target[positions] = source[offsets]`."""
    if source[:1].nbytes < WIDE:
        target[positions] = source[offsets]
        return
    # NumPy would gather wide samples into a temporary array first, and copy each of them twice.
    for position, offset in zip(positions.tolist(), offsets.tolist(), strict=True):
        target[position] = source[offset]
