"""Check what a split returns against what it declares.

A row too many, another shape or another dtype would otherwise be cut or cast in silence where
batches are collated.
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

    Returns
    -------
    numpy.ndarray
        (chunks + 1,) int64, ascending from 0.

    Raises
    ------
    BaryonError
        Unless `chunk_starts()` ascends from 0; the message calls the split `owner`.

    """
    starts, rows = np.asarray(list(split.chunk_starts())), len(split)
    bounds = np.append(starts, rows)
    # NumPy makes an empty list floats, which is no reason to speak of whole numbers.
    is_whole = starts.ndim == 1 and (starts.dtype.kind in "iu" or not len(starts))
    if is_whole and (bounds[0] == 0) and (np.diff(bounds) > 0).all():
        return bounds.astype(np.int64)
    raise BaryonError(
        f"{owner or class_of(split)}: chunk_starts() must ascend from 0 to below its {rows} "
        f"samples, in whole numbers; it gives {_listed(starts.tolist())}"
    )


def require_declared(
    owner: str, call: str, arrays: object, fields: Mapping[str, Field], rows: int
) -> None:
    """Raise `BaryonError` unless `arrays` are `rows` samples of exactly these fields.

    The message calls the split `owner`; `call`, such as "read(0, 8)", is what returned the arrays.
    """
    if not isinstance(arrays, Mapping):
        raise BaryonError(f"{owner}: {call} gives {form(arrays)}, not a mapping of arrays by name")
    if arrays.keys() != fields.keys():
        raise BaryonError(
            f"{owner}: {call} gives {_listed(sorted(map(str, arrays)))}, but its fields are "
            f"{_listed(sorted(fields))}"
        )
    for name, field in fields.items():
        values, shape = arrays[name], (rows, *field.shape)
        # Names of dtypes are compared, so that big-endian values are taken as well.
        has_shape = isinstance(values, np.ndarray) and values.shape == shape
        if not has_shape or values.dtype.name != _dtype(owner, name, field):
            raise BaryonError(
                f"{owner}: {call} gives {name!r} as {form(values)}, but its field says "
                f"{field.dtype} {shape}"
            )


def require_augmented(owner: str, arrays: object, fields: Mapping[str, Field], rows: int) -> None:
    """Raise `BaryonError` unless `arrays` are `rows` samples of `augmented_fields` with keys."""
    declared = {**fields, KEYS: Field((), "int64")}
    require_declared(owner, f"augment of {rows} samples", arrays, declared, rows)


def class_of(split: Split) -> str:
    """Return the name of the split's class with its module, for messages."""
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


def _listed(values: list[Any]) -> str:
    shown = ", ".join(map(str, values[:8]))  # a split may have a million chunks
    return f"{shown}, ..." if len(values) > 8 else shown or "nothing"
