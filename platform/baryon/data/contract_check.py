"""Holds what a split hands over against what it declares.

A row too many, another shape or another dtype would otherwise be cut or cast in silence where
batches are gathered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from baryon.data.sampling import Rows
from baryon.errors import BaryonError, form
from baryon.interfaces import Field, Split

KEYS = "keys"


def chunk_bounds(split: Split, owner: str = "") -> Rows:
    """Return the first row of every chunk and, as the last entry, the number of rows.

    Raises `BaryonError`, said of `owner`, unless `chunk_starts()` ascends from 0.
    """
    starts, rows = np.asarray(list(split.chunk_starts())), len(split)
    bounds = np.append(starts, rows)
    is_whole = starts.ndim == 1 and (starts.dtype.kind in "iu" or not len(starts))
    if is_whole and (bounds[0] == 0) and (np.diff(bounds) > 0).all():
        return bounds.astype(np.int64)
    raise BaryonError(
        f"{owner or class_of(split)}: chunk_starts() must ascend from 0 to below its {rows} "
        f"samples, in whole numbers; it gives {_some(starts.tolist())}"
    )


def require_declared(
    owner: str, call: str, arrays: object, fields: Mapping[str, Field], rows: int
) -> None:
    """Raise `BaryonError` unless `arrays` are `rows` samples of just these fields.

    `owner` is whose `call`, such as "read(0, 8)", gave them.
    """
    if not isinstance(arrays, Mapping):
        raise BaryonError(f"{owner}: {call} gives {form(arrays)}, not a mapping of arrays by name")
    if arrays.keys() != fields.keys():
        raise BaryonError(
            f"{owner}: {call} gives {_some(sorted(map(str, arrays)))}, but its fields are "
            f"{_some(sorted(fields))}"
        )
    for name, field in fields.items():
        values, shape = arrays[name], (rows, *field.shape)
        same = isinstance(values, np.ndarray) and values.shape == shape
        if not same or values.dtype.name != _dtype(owner, name, field):
            raise BaryonError(
                f"{owner}: {call} gives {name!r} as {form(values)}, but its field says "
                f"{field.dtype} {shape}"
            )


def require_augmented(owner: str, arrays: object, fields: Mapping[str, Field], rows: int) -> None:
    """Raise `BaryonError` unless `augment` gave `rows` samples of these fields, and their keys."""
    declared = {**fields, KEYS: Field((), "int64")}
    require_declared(owner, f"augment of {rows} samples", arrays, declared, rows)


def class_of(split: Split) -> str:
    """Return the split's class with its module, where no better name is known."""
    return f"{type(split).__module__}.{type(split).__qualname__}"


def provides(split: Split, member: str) -> bool:
    """Return whether the split's class overrides an optional member of `Split`."""
    return getattr(type(split), member) is not getattr(Split, member)


def _dtype(owner: str, name: str, field: Field) -> str:
    try:
        return np.dtype(field.dtype).name
    except TypeError as error:
        raise BaryonError(
            f"{owner}: field {name!r} has dtype {field.dtype!r}, which NumPy does not know"
        ) from error


def _some(values: list[Any]) -> str:
    shown = ", ".join(map(str, values[:8]))
    return f"{shown}, ..." if len(values) > 8 else shown or "nothing"
