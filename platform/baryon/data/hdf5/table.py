"""Read several HDF5 files with the same members as one table of rows.

A member is an HDF5 dataset whose first axis counts the rows. Every error names file and member.
"""

from __future__ import annotations

import glob
import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from baryon.data.file_kind import file_kind
from baryon.data.hdf5 import filters
from baryon.data.hdf5.direct_reads import DirectReader, LibraryMember, direct_read_blocker
from baryon.data.hdf5.filters import DecodeError
from baryon.data.hdf5.inspection import inspect
from baryon.data.hdf5.links import LinkedFiles, follows_links, member, one_line
from baryon.data.hdf5.storage_check import EXTERNAL, chunk_bytes, data_bytes
from baryon.data.hdf5.storage_info import describe
from baryon.data.hdf5.virtual import RowReader, VirtualMember, virtual_member
from baryon.data.package_files import package_folder
from baryon.data.staging import staged
from baryon.errors import BaryonError, format_error
from baryon.interfaces import StorageInfo
from baryon.system.file_systems import announce_unlocked_reads
from baryon.terminal.console import warn

if TYPE_CHECKING:
    import h5py

PACKAGE_PREFIX = "pkg://"
ROWS_WITHOUT_CHUNKS = 64
"""Rows that count as one chunk of a member with contiguous storage."""
SECONDS_BETWEEN_CHECKS = 1.0
"""Time between checks whether a file has changed while it is read; each may cross a network."""
DECLARED_BYTES = 2**30
"""Bytes of values that any file may declare, even if none of them is stored."""
DECLARED_RATIO = 1100
"""Declared bytes per byte of the file above which a file is refused.

DEFLATE expands one byte to 1,032 at most (zlib's technical details).
"""
MOST_VIRTUAL = 16
"""Depth of virtual datasets that refer to virtual datasets; deeper ones are taken for a cycle."""


def find_files(key: str, patterns: str | Sequence[str]) -> list[Path]:
    """Return the files that match paths, globs or `pkg://package/path` patterns.

    Parameters
    ----------
    key
        Config key that holds the patterns, for the error message.
    patterns
        One pattern or several; the files of each come in alphabetical order, none twice.

    Raises
    ------
    BaryonError
        If a pattern matches no file.

    """
    patterns = [patterns] if isinstance(patterns, str) else patterns
    files: dict[Path, None] = {}  # a dict, not a set: it keeps the order
    for pattern in patterns:
        # `Path.glob` takes no absolute patterns.
        paths = map(Path, glob.glob(_local(pattern), recursive=True))  # noqa: PTH207
        matches = sorted(path for path in paths if path.is_file())
        if not matches:
            raise BaryonError(f"{key}={pattern} matches no file (looked from {Path.cwd()})")
        files.update(dict.fromkeys(matches))
    return list(files)


def _local(pattern: str) -> str:
    """Resolve `pkg://` and `~` in a pattern."""
    if not pattern.startswith(PACKAGE_PREFIX):
        return str(Path(pattern).expanduser())
    package, _, inside = pattern.removeprefix(PACKAGE_PREFIX).partition("/")
    return str(package_folder(package) / inside)


def open_file(path: Path) -> h5py.File:
    """Open an HDF5 file for reading, after a separate process has inspected it.

    Raises
    ------
    BaryonError
        If it is not an HDF5 file, or is truncated, damaged or unreadable.

    """
    import h5py

    inspect(path)
    try:
        # Readers need no lock, and network file systems often refuse one.
        return h5py.File(path, "r", locking=False)
    except Exception as error:  # h5py raises OSError, RuntimeError and others
        kind = file_kind(path) if path.is_file() and os.access(path, os.R_OK) else None
        if kind:
            raise BaryonError(f"{path} is not HDF5 but {kind.name}: {kind.advice}") from error
        raise BaryonError(
            f"{path} cannot be read as HDF5 ({' '.join(str(error).split())}): "
            "fetch or generate it again"
        ) from error


def require_sound(path: Path) -> None:
    """Raise `BaryonError` if another library, such as xarray, could not read a file safely.

    Refused are files with a dataset whose chunks do not fit its shape or the file, or whose values
    are stored in other files.
    """
    for name, reason in inspect(path).items():
        if reason == EXTERNAL:
            advice = "copy the values into the file (h5repack)"
        else:
            advice = "fetch the file again"
        raise BaryonError(f"{path}: {name.lstrip('/')!r} cannot be read ({reason}): {advice}")


class Hdf5Table:
    """The rows of several HDF5 files, for a choice of members.

    Links and virtual datasets are followed to other files in the folder of the file, or in any
    folder inside `following_links(True)`; these files are part of the fingerprint.

    `read` may be called by several threads at once. They decode in parallel, without the HDF5
    library; a member that only the library can decode is read through it by one thread at a time,
    with a warning.

    A table can be pickled; unpickling opens the files again.

    Parameters
    ----------
    paths
        Files, in the order of their rows.
    members
        Path of the member in the files, by field name. All files must hold all members, all
        members of a file must have the same number of rows, and a member the same sample shape
        and dtype in all files.

    Attributes
    ----------
    starts
        (files + 1,) first row of every file, and the number of all rows.
    shapes
        Shape of one sample, by field.
    dtypes
        NumPy dtype, by field.

    Raises
    ------
    BaryonError
        If a file cannot be read, lacks a member or differs from the first file.

    """

    def __init__(self, paths: Sequence[Path], members: Mapping[str, str]) -> None:
        self.paths = list(paths)
        self.members = dict(members)
        self._follow_links = follows_links()
        # Versions are taken before the files are opened: a change in between is then noticed.
        versions = [[_version(path)] for path in self.paths]
        self._checked_at = [time.monotonic()] * len(self.paths)
        self._locations = [staged(path) for path in self.paths]
        self._open()
        self._versions = [
            [*file_versions, *map(_version, files.others)]
            for file_versions, files in zip(versions, self._files, strict=True)
        ]
        for folder in {path.resolve().parent for path in self.paths}:
            announce_unlocked_reads(folder)
        counts = [self._count_rows(number) for number in range(len(self.paths))]
        self.starts = np.concatenate([[0], np.cumsum(counts)])
        self.shapes = {field: self._common_property(field, "shape") for field in members}
        self.dtypes = {field: np.dtype(self._common_property(field, "dtype")) for field in members}
        for number in range(len(self.paths)):
            self._require_plausible(number)
            self._warn_of(number)

    def _open(self) -> None:
        """Open the files and those that they refer to, and choose how each member is read."""
        self._files: list[LinkedFiles] = []
        self._datasets: dict[tuple[int, str], h5py.Dataset] = {}
        self._readers: dict[tuple[int, str], RowReader] = {}
        try:
            for number in range(len(self.paths)):
                self._open_file(number)
        except BaseException:
            self.close()
            raise

    def _open_file(self, number: int) -> None:
        path = self.paths[number]
        files = LinkedFiles(
            path, open_file, location=self._locations[number], everywhere=self._follow_links
        )
        self._files.append(files)
        for field, name in self.members.items():
            stored = member(files, name)
            self._datasets[number, field] = stored
            with _unreadable(path, name):
                self._readers[number, field] = row_reader(stored, files, name)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without open files, for pickling."""
        opened = ("_files", "_datasets", "_readers")
        return {key: value for key, value in self.__dict__.items() if key not in opened}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Open the files again; raise `BaryonError` if one has changed since pickling."""
        self.__dict__.update(state)
        for number in range(len(self.paths)):
            self.require_unchanged(number)
        self._open()

    def __len__(self) -> int:
        return int(self.starts[-1])

    def _count_rows(self, number: int) -> int:
        counts = {
            name: self._datasets[number, field].shape[0] for field, name in self.members.items()
        }
        if len(set(counts.values())) > 1:
            shown = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise BaryonError(f"{self.paths[number]}: the members differ in length ({shown})")
        return int(next(iter(counts.values())))

    def _common_property(self, field: str, attribute: str) -> Any:
        """Return the sample shape or dtype of a field; it must be the same in all files."""
        first = self._property(0, field, attribute)
        for number in range(1, len(self.paths)):
            other = self._property(number, field, attribute)
            if other != first:
                raise BaryonError(
                    f"{self.paths[number]}: member {self.members[field]!r} has {attribute} "
                    f"{other}, but {first} in {self.paths[0]}: give files with the same layout"
                )
        return first

    def _property(self, number: int, field: str, attribute: str) -> Any:
        stored = self._datasets[number, field]
        return stored.shape[1:] if attribute == "shape" else stored.dtype

    def _require_plausible(self, number: int) -> None:
        """Raise `BaryonError` for a file that declares far more values than it can hold.

        HDF5 allocates space lazily: a file of a few kB may declare terabytes of fill values.
        """
        declared = sum(data_bytes(self._datasets[number, field]) for field in self.members)
        held = sum(version[1] for version in self._versions[number])
        if declared > DECLARED_BYTES and declared > DECLARED_RATIO * held:
            raise BaryonError(
                f"{self.paths[number]} declares {declared:,} bytes of values, but has {held:,}: "
                "hardly any of it was ever written; write it again"
            )

    def _warn_of(self, number: int) -> None:
        """Warn of members that only one thread at a time can read, and of unwritten parts."""
        for field, name in self.members.items():
            stored = self._datasets[number, field]
            reason = direct_read_blocker(stored)
            if reason and stored.chunks:
                warn(
                    f"{self.paths[number]}: member {name!r} is read by one thread at a time, "
                    f"because {reason}; `baryon data repack` rewrites it with gzip, or "
                    "data.processes=<N> reads it in N processes"
                )
            with _unreadable(self.paths[number], name):
                unwritten = self._readers[number, field].unwritten()
                value = stored.fillvalue
            if unwritten:
                warn(
                    f"{self.paths[number]}: of member {name!r} {unwritten} were never written and "
                    f"read as {value}: was the program that wrote it stopped?"
                )

    def chunk_starts(self, field: str) -> list[int]:
        """Return the first row of every stored chunk of a field, over all files."""
        first_rows: list[int] = []
        for number, (start, stop) in enumerate(pairwise(self.starts.tolist())):
            reader, chunks = self._readers[number, field], self._datasets[number, field].chunks
            if isinstance(reader, VirtualMember):
                first_rows += [start + row for row in reader.starts()] if stop > start else []
            else:
                first_rows += range(start, stop, chunks[0] if chunks else ROWS_WITHOUT_CHUNKS)
        return first_rows

    def read(self, field: str, start: int, stop: int) -> np.ndarray[Any, Any]:
        """Read rows `start` to `stop` - 1 of a field.

        Returns
        -------
        Array of shape (stop - start, *shapes[field]) and dtype `dtypes[field]`.

        Raises
        ------
        BaryonError
            If the file is damaged or has changed since it was opened.

        """
        number = int(np.searchsorted(self.starts, start, side="right")) - 1
        pieces = []
        while start < stop:
            end = min(stop, int(self.starts[number + 1]))
            pieces.append(self._read_from_file(number, field, start, end))
            start, number = end, number + 1
        if not pieces:
            return np.empty((0, *self.shapes[field]), self.dtypes[field])
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _read_from_file(
        self, number: int, field: str, start: int, stop: int
    ) -> np.ndarray[Any, Any]:
        self._check_unchanged(number)
        first, last = start - int(self.starts[number]), stop - int(self.starts[number])
        try:
            return self._readers[number, field].read(first, last)
        except BaryonError:
            raise
        except Exception as error:  # h5py raises many types for a damaged file
            # A file that was rewritten meanwhile looks damaged: say what really happened.
            self.require_unchanged(number)
            raise BaryonError(
                f"{self.paths[number]}: member {self.members[field]!r} cannot be read in rows "
                f"{first} to {last - 1} ({_reason(error)}): fetch or generate it again"
            ) from error

    def _check_unchanged(self, number: int) -> None:
        now = time.monotonic()
        if now - self._checked_at[number] >= SECONDS_BETWEEN_CHECKS:
            self._checked_at[number] = now
            self.require_unchanged(number)

    def require_unchanged(self, number: int) -> None:
        """Raise `BaryonError` if a file, or one it refers to, changed since it was opened."""
        names = [self.paths[number], *(Path(then[0]) for then in self._versions[number][1:])]
        for name, then in zip(names, self._versions[number], strict=True):
            now = _version(name)
            if then != now:
                resized = f"its size went from {then[1]:,} to {now[1]:,} bytes"
                change = resized if then[1] != now[1] else "it was written again"
                raise BaryonError(
                    f"{name} changed while it was read ({change}): wait until it is written, "
                    "then start again"
                )

    def place(self, row: int) -> str:
        """Return the file of a row and its number there, for messages."""
        number = int(np.searchsorted(self.starts, row, side="right")) - 1
        return f"{self.paths[number]}, row {row - int(self.starts[number])}"

    def stored(self) -> list[StorageInfo]:
        """Describe how each member is stored in each file."""
        return [
            describe(path, self._datasets[number, field], name)
            for number, path in enumerate(self.paths)
            for field, name in self.members.items()
        ]

    def fingerprint(self) -> str:
        """Return a hash of the members and of the files' absolute names, sizes and mtimes.

        It covers the files that these refer to, and describes all of them as they were when the
        table was opened.
        """
        # Hashing the content of terabytes at every start is out of the question; `baryon data
        # check` has checksums.
        return hashlib.sha256(repr((self._versions, self.members)).encode()).hexdigest()[:16]

    def close(self) -> None:
        """Close all files."""
        for files in self._files:
            files.close()


def _version(path: Path) -> tuple[str, int, int]:
    """Return a file's absolute name, size and mtime; raise `BaryonError` if it has none."""
    try:
        status = path.stat()
    except OSError as error:
        raise BaryonError(f"{path} cannot be read: {error.strerror}") from error
    return str(path.resolve()), status.st_size, status.st_mtime_ns


def row_reader(stored: h5py.Dataset, files: LinkedFiles, name: str, depth: int = 0) -> RowReader:
    """Choose how a member is read: directly, from its sources if virtual, or by the library.

    Raises `BaryonError` or `DecodeError` for a member that cannot be read.
    """
    if depth > MOST_VIRTUAL:
        raise DecodeError("its sources refer to each other in a cycle")
    filters.require(stored)
    if stored.is_virtual:
        return virtual_member(
            stored, files, name, lambda source: row_reader(source, files, name, depth + 1)
        )
    if stored.chunks:
        chunk_bytes(stored)  # refuses chunks that are too large to decode
    return LibraryMember(stored) if direct_read_blocker(stored) else DirectReader(stored)


@contextmanager
def _unreadable(path: Path, name: str) -> Iterator[None]:
    """Turn what a damaged member raises into a `BaryonError` that names it."""
    try:
        yield
    except BaryonError:
        raise
    except Exception as error:
        raise BaryonError(
            f"{path}: member {name!r} cannot be read ({_reason(error)}): fetch or generate it again"
        ) from error


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, DecodeError | OSError) else format_error(error)


def has_member(path: Path, name: str) -> bool:
    """Return whether a file holds a member, or a link that should lead to it."""
    files = LinkedFiles(path, open_file)
    with closing(files):
        return files.find(name) is not None


def count_rows(path: Path, name: str) -> int:
    """Return the number of rows of a member of a file; 0 if there is no such member."""
    with closing(LinkedFiles(path, open_file)) as files:
        stored = files.find(name)
        with one_line(path, f"member {name!r}"):
            return int(stored.shape[0]) if getattr(stored, "shape", ()) else 0


def attributes(path: Path) -> dict[str, Any]:
    """Return the attributes of a file's root group."""
    with open_file(path) as file, one_line(path, "an attribute"):
        return dict(file.attrs)
