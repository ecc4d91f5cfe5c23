"""Refuse events that are in the data twice.

An event that the network was trained on tests nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from baryon.errors import BaryonError
from baryon_hep.dataset.images import EVENT_ID, SAMPLE, Column, Images


def require_distinct(splits: Mapping[str, Images]) -> None:
    """Raise `BaryonError` if two events, of one split or of two, have the same `eid`.

    Events of different class, slice or masses are different ones. Splits without `eid` are passed
    over.
    """
    numbered = {name: split for name, split in splits.items() if EVENT_ID in split.columns}
    if not numbered:
        return
    ids = np.concatenate([split.columns[EVENT_ID] for split in numbered.values()])
    ordered = np.sort(ids)  # of millions of ids most are single: only the others are compared
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(repeated):
        return
    rows = np.flatnonzero(np.isin(ids, repeated))
    first, second = _pairs(rows, [ids, *_samples(numbered)])
    if len(second):
        places = [_place(numbered, int(row)) for row in (first[0], second[0])]
        # Files of others may number their events anew in each file; only their owner knows.
        raise BaryonError(
            f"event {ids[first[0]]} comes twice, in {places[0]} and in {places[1]}, and "
            f"{len(second) - 1} others do: leave out one of the files, or give "
            "dataset.check_event_ids=false if these files number different events alike"
        )


def _samples(splits: Mapping[str, Images]) -> list[Column]:
    """Return those columns of `SAMPLE` that all splits have."""
    return [
        np.concatenate([split.columns[name] for split in splits.values()])
        for name in SAMPLE
        if all(name in split.columns for split in splits.values())
    ]


def _pairs(rows: Column, keys: list[Column]) -> tuple[Column, Column]:
    """Pair up those of the rows that agree in all keys, each with the one before it."""
    values = [key[rows] for key in keys]
    order = np.lexsort(values[::-1])
    same = np.logical_and.reduce([value[order][1:] == value[order][:-1] for value in values])
    return rows[order[:-1][same]], rows[order[1:][same]]


def _place(splits: Mapping[str, Images], row: int) -> str:
    """Return split, file and row of a row that counts through all splits."""
    for name, split in splits.items():
        if row < len(split):
            return f"dataset.{name} ({split.place(row)})"
        row -= len(split)
    raise IndexError(row)
