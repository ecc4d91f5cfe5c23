"""Read all values of a member once: require them to be finite and find the channels' ranges.

The result is kept in the user's cache under the data's fingerprint, so that each version of the
files is read once.
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
"""Version of the cached result; it must change when another check is made."""
LARGEST = float(np.finfo(np.float32).max)
"""Larger values become infinite when they are cast to a network's float32."""


@dataclass(frozen=True)
class Range:
    """Smallest and largest value of each channel, over all samples."""

    minimum: tuple[float, ...]
    maximum: tuple[float, ...]


_lenient: ContextVar[bool] = ContextVar("lenient", default=False)


@contextmanager
def lenient() -> Iterator[None]:
    """Skip values that are not finite inside this context: `baryon data check` lists them all."""
    token = _lenient.set(True)
    try:
        yield
    finally:
        _lenient.reset(token)


def channel_range(table: Hdf5Table, field: str, split: str = "") -> Range:
    """Return the range of an image field after checking every value.

    A sample of shape (channels, height, width) has a range per channel, one of (height, width) has
    a single range. `split` is named while the values are read.

    Raises
    ------
    BaryonError
        For a NaN or infinite value; the message names file, row and member of the first.

    """
    key = {"version": VERSION, "data": table.fingerprint(), "field": field}
    known = _load(cached("range", key), _channels(table, field))
    if known is not None:
        return known
    result = _scan(table, field, split)
    if not _lenient.get():  # a lenient result must not spare the next training its check
        keep("range", key, {"minimum": result.minimum, "maximum": result.maximum})
    return result


def _load(entry: Mapping[str, Any] | None, channels: int) -> Range | None:
    """Return a cached range; None if the entry is not a range of so many channels."""
    ends = [(entry or {}).get(name) for name in ("minimum", "maximum")]
    for end in ends:
        if not isinstance(end, list) or len(end) != channels:
            return None
        if not all(isinstance(value, float) for value in end):
            return None
    return Range(*map(tuple, ends))  # type: ignore[arg-type]


def _channels(table: Hdf5Table, field: str) -> int:
    shape = table.shapes[field]
    return int(shape[0]) if len(shape) > 2 else 1


def _scan(table: Hdf5Table, field: str, split: str) -> Range:
    channels = _channels(table, field)
    low, high = np.full(channels, np.inf), np.full(channels, -np.inf)
    what = f"checking {table.members[field]}" + (f" of {split}" if split else "")
    with bar(what, total=len(table), unit="samples") as advance:
        for start, stop in pairwise([*table.chunk_starts(field), len(table)]):
            rows = table.read(field, start, stop)
            values = rows.reshape(len(rows), channels, -1)
            if _lenient.get():
                values = np.where(_is_finite_float32(values), values, np.nan)
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
    invalid = np.asarray(~_is_finite_float32(values).all(axis=(1, 2)))
    if invalid.any():
        first = int(np.argmax(invalid))
        sample = values[first]
        finite = np.isfinite(sample).all()
        what = f"{np.abs(sample).max():g}, beyond float32's {LARGEST:g}" if finite else "NaN or Inf"
        raise BaryonError(
            f"{table.place(start + first)}: member {table.members[field]!r} holds {what} "
            f"({int(invalid.sum())} of the {len(invalid)} samples around): repair or leave out the "
            "file"
        )


def _is_finite_float32(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return where values are finite when cast to float32."""
    narrow = values.dtype.itemsize <= 4 or values.dtype.kind != "f"  # float64 may overflow
    fits: np.ndarray[Any, Any] = np.isfinite(values) if narrow else np.abs(values) <= LARGEST
    return fits
