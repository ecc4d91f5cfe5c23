"""One pass over all values of a member: each must be finite, and the channels' ranges are found.

The answer is kept in the user's cache, keyed by the data's fingerprint, so that the pass is made
once for each version of the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from baryon.data.hdf5.table import Hdf5Table
from baryon.errors import BaryonError
from baryon.system.cache import cached, keep
from baryon.terminal.progress import bar

VERSION = 2
"""Of what is kept: a change of what is checked must change it."""
LARGEST = float(np.finfo(np.float32).max)
"""Larger values become infinite on their way into a network."""


@dataclass(frozen=True)
class Range:
    """Smallest and largest value of each channel, over all samples."""

    minimum: tuple[float, ...]
    maximum: tuple[float, ...]


_lenient: ContextVar[bool] = ContextVar("lenient", default=False)


@contextmanager
def lenient() -> Iterator[None]:
    """While this lasts values that are not finite are passed over: a check wants to see all."""
    token = _lenient.set(True)
    try:
        yield
    finally:
        _lenient.reset(token)


def channel_range(table: Hdf5Table, field: str) -> Range:
    """The range of an image field, every value checked.

    A sample of shape (channels, height, width) has as many ranges, one of (height, width) has one.

    Raises `BaryonError` naming file, row and member of the first NaN or infinite value.
    """
    key = {"version": VERSION, "data": table.fingerprint(), "field": field}
    kept = _load(cached("range", key), _channels(table, field))
    if kept is not None:
        return kept
    found = _scan(table, field)
    if not _lenient.get():  # else the next training must look for itself
        keep("range", key, {"minimum": found.minimum, "maximum": found.maximum})
    return found


def _load(kept: Mapping[str, Any] | None, channels: int) -> Range | None:
    """What was kept; None if it is no range of so many channels."""
    ends = [(kept or {}).get(name) for name in ("minimum", "maximum")]
    for end in ends:
        if not isinstance(end, list) or len(end) != channels:
            return None
        if not all(isinstance(value, float) for value in end):
            return None
    return Range(*map(tuple, ends))  # type: ignore[arg-type]


def _channels(table: Hdf5Table, field: str) -> int:
    shape = table.shapes[field]
    return int(shape[0]) if len(shape) > 2 else 1


def _scan(table: Hdf5Table, field: str) -> Range:
    channels = _channels(table, field)
    low, high = np.full(channels, np.inf), np.full(channels, -np.inf)
    with bar(f"checking {table.members[field]}", total=len(table), unit="samples") as advance:
        for start, stop in pairwise([*table.chunk_starts(field), len(table)]):
            rows = table.read(field, start, stop)
            values = rows.reshape(len(rows), channels, -1)
            if _lenient.get():
                values = np.where(_fits(values), values, np.nan)
            else:
                _require_finite(table, field, start, values)
            low = np.fmin(low, np.fmin.reduce(values, axis=(0, 2)))
            high = np.fmax(high, np.fmax.reduce(values, axis=(0, 2)))
            advance(stop - start)
    return Range(tuple(low.tolist()), tuple(high.tolist()))


def _require_finite(
    table: Hdf5Table,
    field: str,
    start: int,
    values: np.ndarray[tuple[int, ...], np.dtype[np.floating]],
) -> None:
    bad = np.asarray(~_fits(values).all(axis=(1, 2)))
    if bad.any():
        sample = values[np.argmax(bad)]
        finite = np.isfinite(sample).all()
        what = f"{np.abs(sample).max():g}, beyond float32's {LARGEST:g}" if finite else "NaN or Inf"
        raise BaryonError(
            f"{table.place(start + int(np.argmax(bad)))}: member {table.members[field]!r} holds "
            f"{what} ({int(bad.sum())} of the {len(bad)} samples around): repair or leave out the "
            "file"
        )


def _fits(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Where values are finite as float32."""
    narrow = values.dtype.itemsize <= 4 or values.dtype.kind != "f"
    fits: np.ndarray[Any, Any] = np.isfinite(values) if narrow else np.abs(values) <= LARGEST
    return fits
