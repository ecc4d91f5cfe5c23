"""Join all splits of a dataset into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from baryon.data.contract_check import chunk_bounds
from baryon.errors import BaryonError
from baryon.interfaces import Arrays, Field, Normalisation, Split, StorageInfo

Column = np.ndarray[Any, Any]


class Pool(Split):
    """All samples of several splits, one split after the other.

    The first split, the one that a run without folds would be trained on, augments all samples and
    says how they are scaled.

    Parameters
    ----------
    splits
        The splits by name, that of the training first.

    Raises
    ------
    BaryonError
        If a field that all of them have differs between them, or `inputs` is not one.

    """

    def __init__(self, splits: Mapping[str, Split]) -> None:
        self.splits = dict(splits)
        self._parts = list(splits.values())
        self._first = self._parts[0]
        self._bounds = np.cumsum([0, *map(len, self._parts)])
        self.parallel_reads = all(part.parallel_reads for part in self._parts)
        # A split may know more of its samples than the others, of which no fold can make use.
        self._fields = {
            name: field
            for name, field in self._first.fields.items()
            if all(name in part.fields for part in self._parts)
        }
        for name, split in self.splits.items():
            self._require_same_fields(name, split)

    def _require_same_fields(self, name: str, split: Split) -> None:
        for field, expected in self._fields.items():
            if split.fields[field] != expected:
                raise BaryonError(
                    f"train.folds joins all splits, but {field!r} is {_form(split.fields[field])} "
                    f"in split {name!r} and {_form(expected)} in {next(iter(self.splits))!r}"
                )

    @property
    def fields(self) -> Mapping[str, Field]:
        """The fields that all splits have."""
        return self._fields

    @property
    def augmented_fields(self) -> Mapping[str, Field]:
        """Those of the first split that all splits have."""
        return {n: f for n, f in self._first.augmented_fields.items() if n in self.fields}

    def __len__(self) -> int:
        return int(self._bounds[-1])

    def chunk_starts(self) -> Sequence[int]:
        """Return the first row of every stored chunk of all splits."""
        starts = [
            chunk_bounds(part)[:-1] + first
            for part, first in zip(self._parts, self._bounds, strict=False)
        ]
        return [int(start) for start in np.concatenate(starts)]

    def read(self, start: int, stop: int) -> Arrays:
        """Read rows, of each split that they lie in."""
        parts = [part.read(first, last) for part, first, last in self._inside(start, stop)]
        if len(parts) == 1:
            return {name: parts[0][name] for name in self.fields}
        return {name: np.concatenate([part[name] for part in parts]) for name in self.fields}

    def raw(self, start: int, stop: int) -> np.ndarray:
        """Read `inputs` of rows as the files hold them."""
        return np.concatenate([part.raw(*rows) for part, *rows in self._inside(start, stop)])

    def _inside(self, start: int, stop: int) -> list[tuple[Split, int, int]]:
        """Return each split that rows `start` to `stop - 1` lie in, with its own rows."""
        pairs = zip(self._parts, self._bounds[:-1].tolist(), self._bounds[1:].tolist(), strict=True)
        return [
            (part, max(start, first) - first, min(stop, last) - first)
            for part, first, last in pairs
            if start < last and stop > first
        ]

    def augment(self, arrays: Arrays, random: np.random.Generator) -> Arrays:
        """Augment as the first split does."""
        return self._first.augment(arrays, random)

    def strata(self) -> np.ndarray | None:
        """Return the stratum of every sample, if every split has strata."""
        return _joined([part.strata() for part in self._parts])

    def fold_keys(self) -> np.ndarray | None:
        """Return the key of every sample, if every split has keys."""
        return _joined([part.fold_keys() for part in self._parts])

    def classes(self) -> Mapping[str, np.ndarray]:
        """Return the samples of every class that all splits know."""
        of_parts = [part.classes() for part in self._parts]
        names = [name for name in of_parts[0] if all(name in classes for classes in of_parts)]
        return {name: np.concatenate([classes[name] for classes in of_parts]) for name in names}

    def place(self, row: int) -> str:
        """Describe where a sample is stored."""
        ((part, first, _),) = self._inside(row, row + 1)
        return part.place(first)

    def stored(self) -> Sequence[StorageInfo]:
        """Describe how the members of all splits are stored."""
        return [info for part in self._parts for info in part.stored()]

    def normalisation(self) -> Normalisation | None:
        """Return how the first split scales its values; the others do it likewise."""
        return self._first.normalisation()

    def fingerprint(self) -> str:
        """Return the fingerprints of all splits."""
        return "; ".join(f"{name}: {split.fingerprint()}" for name, split in self.splits.items())

    def close(self) -> None:
        """Close all splits."""
        for part in self._parts:
            part.close()


def _joined(columns: Sequence[Column | None]) -> Column | None:
    present = [np.asarray(column) for column in columns if column is not None]
    return np.concatenate(present) if len(present) == len(columns) else None


def _form(field: Field) -> str:
    return f"{field.dtype} {field.shape}"
