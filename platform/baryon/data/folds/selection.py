"""Serve some rows of a split as a split of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from baryon.data.contract_check import chunk_bounds
from baryon.data.sampling import Rows
from baryon.interfaces import Arrays, Field, Normalisation, Split, StorageInfo


class Selection(Split):
    """Some rows of another split, in its order.

    A chunk of the selection is what it has of a stored chunk: whoever reads it decodes all of that
    chunk.

    Parameters
    ----------
    whole
        The split.
    rows
        (N,) row numbers in it, ascending.

    """

    def __init__(self, whole: Split, rows: Rows) -> None:
        self.whole, self.rows = whole, rows
        self.parallel_reads = whole.parallel_reads
        chunk_of_row = np.searchsorted(chunk_bounds(whole), rows, side="right") - 1
        self._starts: Rows = np.flatnonzero(np.diff(chunk_of_row, prepend=-1)).astype(np.int64)

    @property
    def fields(self) -> Mapping[str, Field]:
        """Those of the whole split."""
        return self.whole.fields

    @property
    def augmented_fields(self) -> Mapping[str, Field]:
        """Those of the whole split."""
        return self.whole.augmented_fields

    def __len__(self) -> int:
        return len(self.rows)

    def chunk_starts(self) -> Sequence[int]:
        """Return the first row of what is left of every stored chunk."""
        return [int(start) for start in self._starts]

    def read(self, start: int, stop: int) -> Arrays:
        """Read rows of the selection, each stored chunk that they lie in once."""
        parts = [self._read_of_chunk(rows) for rows in self._by_chunk(start, stop)]
        return {name: np.concatenate([part[name] for part in parts]) for name in self.fields}

    def raw(self, start: int, stop: int) -> np.ndarray:
        """Read `inputs` of rows of the selection as the files hold them."""
        parts = [
            self.whole.raw(int(rows[0]), int(rows[-1]) + 1)[rows - rows[0]]
            for rows in self._by_chunk(start, stop)
        ]
        return np.concatenate(parts)

    def _by_chunk(self, start: int, stop: int) -> list[Rows]:
        """Return the rows of the whole split that rows `start` to `stop - 1` are, by chunk."""
        inside = self._starts[(self._starts > start) & (self._starts < stop)]
        return np.split(self.rows[start:stop], inside - start)

    def _read_of_chunk(self, rows: Rows) -> Arrays:
        first = int(rows[0])
        arrays = self.whole.read(first, int(rows[-1]) + 1)
        return {name: array[rows - first] for name, array in arrays.items()}

    def augment(self, arrays: Arrays, random: np.random.Generator) -> Arrays:
        """Augment as the whole split does, to which `keys` are its own rows."""
        keys = arrays["keys"]
        augmented = self.whole.augment({**arrays, "keys": self.rows[keys]}, random)
        return {**augmented, "keys": keys}

    def strata(self) -> np.ndarray | None:
        """Return the stratum of every row, if the whole split has strata."""
        strata = self.whole.strata()
        return None if strata is None else np.asarray(strata)[self.rows]

    def place(self, row: int) -> str:
        """Describe where a row is stored."""
        return self.whole.place(int(self.rows[row]))

    def stored(self) -> Sequence[StorageInfo]:
        """Describe how the members of the whole split are stored."""
        return self.whole.stored()

    def normalisation(self) -> Normalisation | None:
        """Return how the whole split scales its values."""
        return self.whole.normalisation()

    def fingerprint(self) -> str:
        """Return the fingerprint of the whole split, and which rows of it these are."""
        return f"{self.whole.fingerprint()}, rows {content_hash(self.rows)}"

    def close(self) -> None:
        """Close the whole split."""
        self.whole.close()


def content_hash(array: np.ndarray) -> str:
    """Return 16 hexadecimal digits that follow from an array's bytes."""
    from hashlib import blake2b

    return blake2b(np.ascontiguousarray(array).tobytes(), digest_size=8).hexdigest()
