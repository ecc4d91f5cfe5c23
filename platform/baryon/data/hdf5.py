"""HDF5 files as tables: several files of one layout read as one run of rows.

A member is an HDF5 dataset whose first axis counts the rows. Every error names file and member.
"""

from __future__ import annotations

import glob
import hashlib
import os
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from baryon.data import filters
from baryon.data.direct import DirectMember, obstacle
from baryon.data.file_kind import file_kind
from baryon.data.file_systems import tell_of_locks
from baryon.data.filters import DecodeError
from baryon.data.staging import staged
from baryon.data.stored import Stored, describe
from baryon.errors import BaryonError, one_of
from baryon.reporting.console import warn

if TYPE_CHECKING:
    import h5py

PACKAGE_PREFIX = "pkg://"
ROWS_WITHOUT_CHUNKS = 64
"""Rows that are read together from a member that is stored in one piece."""
SECONDS_BETWEEN_LOOKS = 1.0
"""How often a file that is being read is looked at for a change; each look may cross a network."""


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
        kind = file_kind(path) if path.is_file() and os.access(path, os.R_OK) else None
        if kind:
            raise BaryonError(f"{path} is no HDF5 but {kind.name}: {kind.advice}") from error
        raise BaryonError(
            f"{path} cannot be read as HDF5 ({' '.join(str(error).split())}): "
            "fetch or generate it again"
        ) from error


class Table:
    """The rows of several files, for the members that were asked for.

    `members` maps a field name to the member's path in the files. All files must hold all of
    them, with one row count a file, and with one sample shape and dtype in all files.

    `read` may be called by several threads at once. They decode side by side, past the HDF5
    library; a member that only the library can decode is read through it, which is said once.

    It can be pickled: whoever it is sent to opens the files anew.
    """

    def __init__(self, paths: Sequence[Path], members: Mapping[str, str]) -> None:
        self.paths = list(paths)
        self.members = dict(members)
        self._versions = [_version(path) for path in self.paths]
        self._looked = [time.monotonic()] * len(self.paths)
        self._places = [staged(path) for path in self.paths]
        self._direct: dict[tuple[int, str], DirectMember | None] = {}
        self._open()
        for folder in {path.resolve().parent for path in self.paths}:
            tell_of_locks(folder)
        counts = [self._rows(file) for file in self._files]
        self.starts = np.concatenate([[0], np.cumsum(counts)])
        self.shapes = {field: self._one(field, "shape") for field in members}
        self.dtypes = {field: np.dtype(self._one(field, "dtype")) for field in members}

    def _open(self) -> None:
        self._lock = threading.Lock()
        self._files = [open_file(place) for place in self._places]
        for file in self._files:
            for field in self.members:
                filters.require(self.member(file, field))

    def __getstate__(self) -> dict[str, Any]:
        """All but open files; what only the library can decode is known, and said already."""
        state = {k: v for k, v in self.__dict__.items() if k not in ("_files", "_lock")}
        return state | {"_direct": {key: None for key, one in self._direct.items() if one is None}}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Raises `BaryonError` if a file changed in between."""
        self.__dict__.update(state)
        self._open()
        for number in range(len(self.paths)):
            self.require_unchanged(number)

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
        self._look(number)
        first, last = start - int(self.starts[number]), stop - int(self.starts[number])
        direct = self._direct_member(number, field)
        if direct is None:
            return self._read_by_library(number, field, first, last)
        try:
            return direct.read(first, last)
        except (DecodeError, OSError) as error:
            rows = self._read_by_library(number, field, first, last)  # says it when it cannot too
            self._leave_to_library(number, field, f"it could not be decoded here ({error})")
            return rows

    def _read_by_library(
        self, number: int, field: str, first: int, last: int
    ) -> np.ndarray[Any, Any]:
        try:
            return np.asarray(self.member(self._files[number], field)[first:last])
        except OSError as error:
            self.require_unchanged(number)
            raise BaryonError(
                f"{self.paths[number]}: member {self.members[field]!r} cannot be read in rows "
                f"{first} to {last - 1} ({error}): fetch or generate it again"
            ) from error

    def _direct_member(self, number: int, field: str) -> DirectMember | None:
        with self._lock:
            if (number, field) not in self._direct:
                stored = self.member(self._files[number], field)
                reason = obstacle(stored)
                self._direct[number, field] = None if reason else DirectMember(stored)
                if reason and stored.chunks:
                    self._warn(number, field, reason)
            return self._direct[number, field]

    def _leave_to_library(self, number: int, field: str, reason: str) -> None:
        with self._lock:
            if self._direct[number, field] is not None:
                self._direct[number, field] = None
                self._warn(number, field, reason)

    def _warn(self, number: int, field: str, reason: str) -> None:
        warn(
            f"{self.paths[number]}: member {self.members[field]!r} is read by one thread at a "
            f"time, for {reason}; `baryon data repack` writes it anew with gzip, or "
            "data.processes=<N> reads it in as many processes"
        )

    def _look(self, number: int) -> None:
        now = time.monotonic()
        if now - self._looked[number] >= SECONDS_BETWEEN_LOOKS:
            self._looked[number] = now
            self.require_unchanged(number)

    def require_unchanged(self, number: int) -> None:
        """Raise `BaryonError` if a file is no longer what it was when the table was opened."""
        then, now = self._versions[number], _version(self.paths[number])
        if then != now:
            grown = f"its size went from {then[1]:,} to {now[1]:,} bytes"
            what = grown if then[1] != now[1] else "it was written again"
            raise BaryonError(
                f"{self.paths[number]} changed while it was read ({what}): wait until it is "
                "written, then start again"
            )

    def place(self, row: int) -> str:
        """The file and the row in it, for a message about one row."""
        number = int(np.searchsorted(self.starts, row, side="right")) - 1
        return f"{self.paths[number]}, row {row - int(self.starts[number])}"

    def stored(self) -> list[Stored]:
        """How each member is stored in each file."""
        return [
            describe(path, self.member(file, field))
            for path, file in zip(self.paths, self._files, strict=True)
            for field in self.members
        ]

    def fingerprint(self) -> str:
        """Hash of the files' absolute names, sizes and times of change, and of the members.

        As they were when the table was opened.
        """
        return hashlib.sha256(repr((self._versions, self.members)).encode()).hexdigest()[:16]

    def close(self) -> None:
        """Close all files."""
        for file in self._files:
            file.close()


def _version(path: Path) -> tuple[str, int, int]:
    """Absolute name, size and time of change. Raises `BaryonError` if it cannot be looked at."""
    try:
        found = os.stat(path)  # noqa: PTH116  one call for both
    except OSError as error:
        raise BaryonError(f"{path} cannot be read: {error.strerror}") from error
    return str(path.resolve()), found.st_size, found.st_mtime_ns


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
