"""One pass over all values of a member: each must be finite, and the channels' ranges are found.

The answer is kept in the user's cache, keyed by the data's fingerprint, so that the pass is made
once for each version of the files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from baryon.data.hdf5 import Table
from baryon.errors import BaryonError
from baryon.files import write_text
from baryon.reporting.console import warn
from baryon.reporting.progress import bar


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


def channel_range(table: Table, field: str) -> Range:
    """The range of an image field, every value checked.

    A sample of shape (channels, height, width) has as many ranges, one of (height, width) has one.

    Raises `BaryonError` naming file, row and member of the first NaN or infinite value.
    """
    cache = _cache_folder() / f"range-{table.fingerprint()}-{field}.json"
    if cache.is_file():
        return _load(cache)
    found = _scan(table, field)
    if _lenient.get():
        return found  # not kept: the next training must look for itself
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_text(cache, json.dumps({"minimum": found.minimum, "maximum": found.maximum}))
    except (OSError, BaryonError) as error:
        warn(f"the range of {field} could not be kept for the next run: {error}")
    return found


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "baryon"


def _load(cache: Path) -> Range:
    kept = json.loads(cache.read_text())
    return Range(tuple(kept["minimum"]), tuple(kept["maximum"]))


def _scan(table: Table, field: str) -> Range:
    shape = table.shapes[field]
    channels = shape[0] if len(shape) > 2 else 1
    low, high = np.full(channels, np.inf), np.full(channels, -np.inf)
    with bar(f"checking {table.members[field]}", total=len(table), unit="samples") as advance:
        for start, stop in pairwise([*table.chunk_starts(field), len(table)]):
            rows = table.read(field, start, stop)
            values = rows.reshape(len(rows), channels, -1)
            if _lenient.get():
                values = np.where(np.isfinite(values), values, np.nan)
            else:
                _require_finite(table, field, start, values)
            low = np.fmin(low, np.fmin.reduce(values, axis=(0, 2)))
            high = np.fmax(high, np.fmax.reduce(values, axis=(0, 2)))
            advance(stop - start)
    return Range(tuple(low.tolist()), tuple(high.tolist()))


def _require_finite(
    table: Table, field: str, start: int, values: np.ndarray[tuple[int, ...], np.dtype[np.floating]]
) -> None:
    bad = ~np.isfinite(values).all(axis=(1, 2))
    if bad.any():
        row = start + int(np.argmax(bad))
        raise BaryonError(
            f"{table.place(row)}: member {table.members[field]!r} holds NaN or Inf "
            f"({int(bad.sum())} of the {len(bad)} samples around): repair or leave out the file"
        )
