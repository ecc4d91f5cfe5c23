"""Dataset `gw_strain`: files of windows of whitened strain.

Members: `strain` float32 (N, 1024), 1 s at 1024 Hz, noise of variance 1; `label` (N), 1 where there
is a chirp; `chirp_mass` (solar masses) and `snr` of it, 0 elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from baryon.data.hdf5.table import Hdf5Table, find_files
from baryon.errors import BaryonError
from baryon.interfaces import Arrays, Dataset, Field, Split, StorageInfo

from baryon_gw.physics import WINDOW

Files = str | Sequence[str]
NUMBERS = ("label", "chirp_mass", "snr")


class GwStrain(Dataset):
    """Open the splits. Raises `BaryonError` for files that are missing or of another kind."""

    generator = "baryon_gw.generate:generate"

    def __init__(self, *, train: Files, val: Files | None, test: Files | None, flip: bool) -> None:
        wanted = {"train": train, "val": val, "test": test}
        windows = {
            name: Windows(f"dataset.{name}", files) for name, files in wanted.items() if files
        }
        windows["train"].flip = flip
        self.splits = windows


class Windows(Split):
    """`inputs` (1, 1024) for one-dimensional convolutions, and the numbers of each window."""

    parallel_reads = True
    flip = False

    def __init__(self, key: str, files: Files) -> None:
        self._table = Hdf5Table(
            find_files(key, files), {name: name for name in ("strain", *NUMBERS)}
        )
        if self._table.shapes["strain"] != (WINDOW,):
            raise BaryonError(
                f"{self._table.paths[0]}: strain has windows of {self._table.shapes['strain']}, "
                f"not of ({WINDOW},) samples: cut them to 1 s at 1024 Hz"
            )
        dtypes = {name: self._table.dtypes[name].name for name in NUMBERS}
        self._fields = {
            "inputs": Field((1, WINDOW), "float32"),
            **{name: Field((), dtype) for name, dtype in dtypes.items()},
        }

    @property
    def fields(self) -> Mapping[str, Field]:
        """The strain with a channel axis, and the numbers of each window as stored."""
        return self._fields

    def __len__(self) -> int:
        return len(self._table)

    def chunk_starts(self) -> Sequence[int]:
        """Return the first row of each stored chunk."""
        return self._table.chunk_starts("strain")

    def read(self, start: int, stop: int) -> Arrays:
        """Read rows start..stop-1; `inputs` gets an axis of one channel."""
        strain = self._table.read("strain", start, stop).astype(np.float32, copy=False)
        numbers = {name: self._table.read(name, start, stop) for name in NUMBERS}
        return {"inputs": strain[:, None], **numbers}

    def augment(self, arrays: Arrays, random: np.random.Generator) -> Arrays:
        """Flip signs by chance: noise is symmetric, and a chirp may have any phase."""
        if not self.flip:
            return arrays
        sign = random.choice(np.array([-1, 1], np.float32), size=(len(arrays["inputs"]), 1, 1))
        return {**arrays, "inputs": arrays["inputs"] * sign}

    def place(self, row: int) -> str:
        """Return the file of a window and its row there."""
        return self._table.place(row)

    def stored(self) -> list[StorageInfo]:
        """Describe how the members are stored, for `baryon data check`."""
        return self._table.stored()

    def fingerprint(self) -> str:
        """Hash names, sizes and times of change of the files."""
        return self._table.fingerprint()

    def close(self) -> None:
        """Close the files."""
        self._table.close()
