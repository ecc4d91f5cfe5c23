"""Write tables batch by batch, without holding more than a chunk in memory."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import h5py
import numpy as np

Columns: TypeAlias = Mapping[str, np.ndarray[Any, Any]]
"""Columns of some events by name, each (N,)."""
ROWS_PER_CHUNK = 16384


class HdfTable:
    """Write `scores.h5`: a member (N,) for each column, and the names of the `files` by number.

    To be used in a `with` block.
    """

    def __init__(self, folder: Path, files: Sequence[str]) -> None:
        self._file = h5py.File(folder / "scores.h5", "w")
        self._file.create_dataset("files", data=list(files), dtype=h5py.string_dtype())
        self._waiting: list[Columns] = []
        self._waiting_rows = 0

    def __enter__(self) -> HdfTable:
        return self

    def append(self, columns: Columns) -> None:
        """Add rows, and write them as soon as they fill a chunk."""
        self._waiting.append(columns)
        self._waiting_rows += len(columns["row"])
        if self._waiting_rows >= ROWS_PER_CHUNK:
            # Whole chunks alone: HDF5 would read, decompress and compress a part of one again.
            self._write(self._waiting_rows - self._waiting_rows % ROWS_PER_CHUNK)

    def _write(self, rows: int) -> None:
        """Write the first `rows` of the waiting rows."""
        joined = {
            name: np.concatenate([columns[name] for columns in self._waiting])
            for name in self._waiting[0]
        }
        for name, values in joined.items():
            self._extend(name, values[:rows])
        rest = {name: values[rows:] for name, values in joined.items()}
        self._waiting, self._waiting_rows = [rest], len(rest["row"])

    def _extend(self, name: str, values: np.ndarray[Any, Any]) -> None:
        if name not in self._file:
            self._file.create_dataset(
                name,
                shape=(0,),
                maxshape=(None,),
                dtype=values.dtype,
                chunks=(ROWS_PER_CHUNK,),
                compression="gzip",
                shuffle=True,
            )
        member = self._file[name]
        member.resize(len(member) + len(values), axis=0)
        member[len(member) - len(values) :] = values

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and self._waiting_rows:
            self._write(self._waiting_rows)
        self._file.close()


class CsvTable:
    """Write `scores.csv`: a line of column names, then a line for each event, with its file's name.

    To be used in a `with` block.
    """

    def __init__(self, folder: Path, files: Sequence[str]) -> None:
        self._files = np.asarray(files, dtype=object)
        self._stream = (folder / "scores.csv").open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._stream, lineterminator="\n")
        self._empty = True

    def __enter__(self) -> CsvTable:
        return self

    def append(self, columns: Columns) -> None:
        """Write a line for each row."""
        if self._empty:
            self._writer.writerow(columns)
            self._empty = False
        named = {**columns, "file": self._files[columns["file"]]}
        # Python's floats print with as many digits as bring them back to the bit.
        self._writer.writerows(zip(*(values.tolist() for values in named.values()), strict=True))

    def __exit__(self, *error: object) -> None:
        self._stream.close()
