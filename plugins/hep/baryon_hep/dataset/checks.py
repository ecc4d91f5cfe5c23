"""Check the members of files before training, each fault as one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from baryon.data.hdf5.table import Hdf5Table, has_member
from baryon.errors import BaryonError
from baryon_hep.dataset.images import Column

WEIGHTS = ("weight", "normweight")


def column(table: Hdf5Table, field: str) -> Column:
    """Read a whole member (N,) of finite numbers. Raises `BaryonError` for anything else."""
    if table.shapes[field] != () or table.dtypes[field].kind not in "biuf":
        raise BaryonError(f"{_described(table, field)}; it must be one number an event")
    values = table.read(field, 0, len(table))
    _require(table, field, values, np.isfinite(values), "finite")
    return values


def flags(table: Hdf5Table, field: str) -> Column:
    """Read a member (N,) of zeros and ones as int64. Raises `BaryonError` for any other value."""
    values = column(table, field)
    _require(table, field, values, (values == 0) | (values == 1), "0 or 1")
    return values.astype(np.int64)


def weights(table: Hdf5Table, field: str) -> Column:
    """Read event weights (N,) as float32.

    Raises `BaryonError` for a negative one, and for one that would become infinite or zero.
    """
    values = column(table, field)
    _require(table, field, values, values >= 0, "0 or more")
    # Overflow is told by the check below, as an error that names the event.
    with np.errstate(over="ignore", under="ignore"):
        single = values.astype(np.float32)
    fits = np.isfinite(single) & ((single > 0) | (values == 0))
    _require(table, field, values, fits, "0, or from 1e-45 to 3e+38, to fit single precision")
    return single


def images(table: Hdf5Table, field: str, form: str, rank: int, channels: int | None) -> None:
    """Raise `BaryonError` unless a sample has `rank` axes of numbers, `channels` of them first."""
    shape = table.shapes[field]
    right = len(shape) == rank and channels in (None, shape[0] if shape else None)
    if not right or table.dtypes[field].kind not in "fiu":
        raise BaryonError(f"{_described(table, field)}; it must be {form} of numbers")


def same_size(table: Hdf5Table, field: str, other: str) -> None:
    """Raise `BaryonError` unless the images of two members have one size."""
    if table.shapes[field] != table.shapes[other]:
        raise BaryonError(
            f"{table.paths[0]}: member {table.members[field]!r} has images of shape "
            f"{table.shapes[field]}, but {table.shapes[other]} in {table.members[other]!r}"
        )


def both_classes(split: str, table: Hdf5Table, columns: Mapping[str, Column]) -> None:
    """Raise `BaryonError` for an empty split, and for a class without an event or any weight."""
    label = columns["label"]
    if len(label) == 0:
        raise BaryonError(f"dataset.{split}: no events in {_files(table)}: give other files")
    member = table.members["label"]
    for value, meaning in ((1, "signal"), (0, "background")):
        if not (label == value).any():
            raise BaryonError(
                f"dataset.{split}: no {meaning} in {_files(table)} (member {member!r} is never "
                f"{value}): add files that have some"
            )
        for weight in WEIGHTS:
            if weight in columns and not (columns[weight][label == value] > 0).any():
                raise BaryonError(
                    f"dataset.{split}: no {meaning} with a weight in {_files(table)} (member "
                    f"{table.members[weight]!r} is 0 of all of it): add files that have some"
                )


def in_all_or_none(paths: Sequence[Path], member: str) -> bool:
    """Return whether files hold a member. Raises `BaryonError` if some do and others do not."""
    holds = [has_member(path, member) for path in paths]
    if any(holds) and not all(holds):
        raise BaryonError(
            f"{paths[holds.index(False)]} has no member {member!r}, but "
            f"{paths[holds.index(True)]} has: give files of one kind"
        )
    return all(holds)


def _require(
    table: Hdf5Table,
    field: str,
    values: Column,
    right: np.ndarray[tuple[int], np.dtype[np.bool_]],
    rule: str,
) -> None:
    if not right.all():
        row = int(np.argmin(right))
        raise BaryonError(
            f"{table.place(row)}: member {table.members[field]!r} is {values[row]}; it must be "
            f"{rule}"
        )


def _described(table: Hdf5Table, field: str) -> str:
    shape = ", ".join(["N", *map(str, table.shapes[field])])
    name = table.members[field]
    return f"{table.paths[0]}: member {name!r} has shape ({shape}) and dtype {table.dtypes[field]}"


def _files(table: Hdf5Table) -> str:
    more = len(table.paths) - 1
    return f"{table.paths[0]}" + (f" and {more} more files" if more else "")
