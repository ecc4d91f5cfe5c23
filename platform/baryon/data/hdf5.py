"""HDF5 files as tables: several files of one layout read as one run of rows.

A member is an HDF5 dataset whose first axis counts the rows. Every error names file and member.
"""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from baryon.errors import BaryonError, one_of

if TYPE_CHECKING:
    import h5py

PACKAGE_PREFIX = "pkg://"
ROWS_WITHOUT_CHUNKS = 64
"""Rows that are read together from a member that is stored in one piece."""


def find_files(key: str, patterns: str | Sequence[str]) -> list[Path]:
    """The files that `patterns` name: paths, globs, or `pkg://package/path` inside a package.

    Raises `BaryonError`, with the config `key` that asked, for a pattern that matches nothing.
    """
    patterns = [patterns] if isinstance(patterns, str) else patterns
    found: dict[Path, None] = {}
    for pattern in patterns:
        paths = map(Path, glob.glob(_local(pattern), recursive=True))  # noqa: PTH207  absolute too
        matches = sorted(path for path in paths if path.is_file())
        if not matches:
            raise BaryonError(f"{key}={pattern} matches no file (looked from {Path.cwd()})")
        found.update(dict.fromkeys(matches))
    return list(found)


def _local(pattern: str) -> str:
    if not pattern.startswith(PACKAGE_PREFIX):
        return str(Path(pattern).expanduser())
    package, _, inside = pattern.removeprefix(PACKAGE_PREFIX).partition("/")
    return str(files(package) / inside)


def open_file(path: Path) -> h5py.File:
    """Open for reading. Raises `BaryonError` if it is no HDF5 file, is truncated or unreadable."""
    import h5py

    try:
        # Readers need no lock, and network file systems often refuse one.
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        raise BaryonError(
            f"{path} cannot be read as HDF5 ({' '.join(str(error).split())}): "
            "fetch or generate it again"
        ) from error


class Table:
    """The rows of several files, for the members that were asked for.

    `members` maps a field name to the member's path in the files. All files must hold all of
    them, with one row count a file, and with one sample shape and dtype in all files.
    """

    def __init__(self, paths: Sequence[Path], members: Mapping[str, str]) -> None:
        self.paths = list(paths)
        self.members = dict(members)
        self._files = [open_file(path) for path in self.paths]
        counts = [self._rows(file) for file in self._files]
        self.starts = np.concatenate([[0], np.cumsum(counts)])
        self.shapes = {field: self._one(field, "shape") for field in members}
        self.dtypes = {field: np.dtype(self._one(field, "dtype")) for field in members}

    def __len__(self) -> int:
        return int(self.starts[-1])

    def member(self, file: h5py.File, field: str) -> h5py.Dataset:
        """A field's member in one file. Raises `BaryonError` if it is not there."""
        return member(file, self.members[field])

    def _rows(self, file: h5py.File) -> int:
        counts = {self.members[field]: len(self.member(file, field)) for field in self.members}
        if len(set(counts.values())) > 1:
            shown = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise BaryonError(f"{file.filename}: its members differ in length ({shown})")
        return next(iter(counts.values()))

    def _one(self, field: str, attribute: str) -> Any:
        """Shape of a sample or dtype of a field, which must be the same in all files."""
        first = self._property(self._files[0], field, attribute)
        for file in self._files[1:]:
            other = self._property(file, field, attribute)
            if other != first:
                raise BaryonError(
                    f"{file.filename}: member {self.members[field]!r} has {attribute} {other}, "
                    f"but {first} in {self.paths[0]}: give files of one kind"
                )
        return first

    def _property(self, file: h5py.File, field: str, attribute: str) -> Any:
        stored = self.member(file, field)
        return stored.shape[1:] if attribute == "shape" else stored.dtype

    def chunk_starts(self, field: str) -> list[int]:
        """First row of every stored chunk of a field, over all files."""
        found: list[int] = []
        for file, start, stop in zip(self._files, self.starts, self.starts[1:], strict=False):
            chunks = self.member(file, field).chunks
            step = chunks[0] if chunks else ROWS_WITHOUT_CHUNKS
            found += range(int(start), int(stop), step)
        return found

    def read(self, field: str, start: int, stop: int) -> np.ndarray[Any, Any]:
        """Rows start..stop-1 of a field. Raises `BaryonError` for a damaged file."""
        first = int(np.searchsorted(self.starts, start, side="right")) - 1
        pieces = []
        while start < stop:
            end = min(stop, int(self.starts[first + 1]))
            pieces.append(self._read_one(first, field, start, end))
            start, first = end, first + 1
        if not pieces:
            return np.empty((0, *self.shapes[field]), self.dtypes[field])
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _read_one(self, number: int, field: str, start: int, stop: int) -> np.ndarray[Any, Any]:
        offset = int(self.starts[number])
        try:
            rows = self.member(self._files[number], field)[start - offset : stop - offset]
        except OSError as error:
            raise BaryonError(
                f"{self.paths[number]}: member {self.members[field]!r} cannot be read in rows "
                f"{start - offset} to {stop - offset - 1} ({error}): fetch or generate it again"
            ) from error
        return np.asarray(rows)

    def place(self, row: int) -> str:
        """The file and the row in it, for a message about one row."""
        number = int(np.searchsorted(self.starts, row, side="right")) - 1
        return f"{self.paths[number]}, row {row - int(self.starts[number])}"

    def fingerprint(self) -> str:
        """Hash of the files' absolute names, sizes and times of change, and of the members."""
        about = [(str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns) for p in self.paths]
        return hashlib.sha256(repr((about, self.members)).encode()).hexdigest()[:16]

    def close(self) -> None:
        """Close all files."""
        for file in self._files:
            file.close()


def member(file: h5py.File, name: str) -> h5py.Dataset:
    """An HDF5 dataset by its path. Raises `BaryonError` naming what exists beside it."""
    import h5py

    found = file.get(name)
    if isinstance(found, h5py.Dataset) and found.shape:
        return found
    if found is not None:
        raise BaryonError(f"{file.filename}: {name!r} is no table of rows but {found!r}")
    parent, _, last = name.rpartition("/")
    siblings = list(file.get(parent) or ()) if parent else list(file)
    raise BaryonError(f"{file.filename} has no member {name!r}; {one_of(siblings, last)}")


def has_member(path: Path, name: str) -> bool:
    """Whether a file holds a member."""
    with open_file(path) as file:
        return name in file
