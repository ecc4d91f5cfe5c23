"""Divide a dataset into folds: one is judged, one chooses the weights, all others are learnt from.

Samples that belong together, such as those of one simulated shower, have the same key
(`Split.fold_keys`), and the fold follows from a hash of the key alone: neither the order of files
nor a seed nor the number of workers changes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from baryon.data.contract_check import chunk_bounds
from baryon.data.folds.pool import Pool
from baryon.data.folds.selection import Selection
from baryon.errors import BaryonError
from baryon.interfaces import Dataset, Split

TRAIN, VALIDATION, TEST = "train", "val", "test"
MULTIPLIERS = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
"""Of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): increment, first and second mixing."""

Numbers = np.ndarray[Any, Any]


class FoldedDataset(Dataset):
    """A dataset whose splits are made of folds of all its samples.

    `test` is the fold itself, `val` the next one, and `train` all others.

    Parameters
    ----------
    whole
        The dataset; its splits are joined.
    folds
        Number of folds, 3 or more.
    fold
        The fold that is judged, from 0.

    Raises
    ------
    BaryonError
        If the splits cannot be joined, or a fold would have no samples, or none of a class.

    """

    def __init__(self, whole: Dataset, folds: int, fold: int) -> None:
        self.whole = whole
        names = sorted(whole.splits, key=lambda name: name != TRAIN)
        self.pool = Pool({name: whole.splits[name] for name in names})
        self._fold_of_row = fold_numbers(sample_keys(self.pool), folds)
        self._require_all_in_each(folds)
        judged, validated = fold, (fold + 1) % folds
        learnt = [number for number in range(folds) if number not in (judged, validated)]
        roles = {TRAIN: learnt, VALIDATION: [validated], TEST: [judged]}
        self.splits = {
            name: Selection(self.pool, self.rows(numbers)) for name, numbers in roles.items()
        }

    def rows(self, folds: Sequence[int]) -> np.ndarray:
        """Return the rows of `pool` that lie in some folds, ascending, (N,) int64."""
        return np.flatnonzero(np.isin(self._fold_of_row, folds)).astype(np.int64)

    def open_input(self, files: Sequence[str]) -> Split | None:
        """Open other files as the whole dataset does."""
        return self.whole.open_input(files)

    def _require_all_in_each(self, folds: int) -> None:
        needed = {"samples": np.ones(len(self.pool), bool), **self.pool.classes()}
        for name, samples in needed.items():
            counts = np.bincount(self._fold_of_row[samples], minlength=folds)
            if not counts.all():
                raise BaryonError(
                    f"train.folds={folds}: fold {int(np.argmin(counts))} has no {name}, of which "
                    f"there are {counts.sum()} in all: give fewer folds or more data"
                )


def fold_numbers(keys: Numbers, folds: int) -> Numbers:
    """Return the fold of each sample, (N,) int64 from 0 to `folds` - 1, from its key.

    Parameters
    ----------
    keys
        (N,) or (N, columns) whole numbers or floats; samples of equal keys stand together.
    folds
        Number of folds.

    """
    keys = np.asarray(keys)
    mixed = np.zeros(len(keys), np.uint64)
    for column in keys.reshape(len(keys), -1).T:
        mixed = _mix(mixed ^ _as_bits(column))
    numbers: Numbers = (mixed % np.uint64(folds)).astype(np.int64)
    return numbers


def _as_bits(column: Numbers) -> Numbers:
    """Return 64 bits of each number, whatever the width that it is stored with."""
    if column.dtype.kind == "f":
        return (column.astype(np.float64) + 0.0).view(np.uint64)  # -0.0 is 0.0
    return column.astype(np.int64, casting="unsafe").view(np.uint64)


def _mix(bits: Numbers) -> Numbers:
    increment, first, second = map(np.uint64, MULTIPLIERS)
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is what is meant
        bits = bits + increment
        bits = (bits ^ (bits >> np.uint64(30))) * first
        bits = (bits ^ (bits >> np.uint64(27))) * second
    mixed: Numbers = bits ^ (bits >> np.uint64(31))
    return mixed


def sample_keys(split: Split) -> Numbers:
    """Return the key of every sample, as the split says it, or a hash of what is stored.

    Raises `BaryonError` unless there is a key for every sample.
    """
    keys = split.fold_keys()
    if keys is None:
        # Samples that are the same to the bit have one key; it takes one pass over the inputs.
        bounds = chunk_bounds(split)
        pairs = zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
        digests = [_digest(sample) for rows in pairs for sample in split.raw(*rows)]
        return np.array(digests, np.uint64)
    keys = np.asarray(keys)
    if keys.ndim not in (1, 2) or len(keys) != len(split) or keys.dtype.kind not in "biuf":
        raise BaryonError(
            f"fold_keys() gives {keys.dtype} {keys.shape}, but there are {len(split)} samples: it "
            "must be one number, or one row of numbers, a sample"
        )
    return keys


def _digest(sample: Numbers) -> int:
    hashed = blake2b(np.ascontiguousarray(sample).tobytes(), digest_size=8).digest()
    return int.from_bytes(hashed, "little")
