"""HDF5 files as tables: several files of one layout read as one run of rows.

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
from baryon.data.hdf5.virtual import Rows, VirtualMember, virtual_member
from baryon.data.package_files import package_folder
from baryon.data.staging import staged
from baryon.errors import BaryonError, format_error
from baryon.interfaces import StorageInfo
from baryon.system.file_systems import tell_of_locks
from baryon.terminal.console import warn

if TYPE_CHECKING:
    import h5py

PACKAGE_PREFIX = "pkg://"
ROWS_WITHOUT_CHUNKS = 64
"""Rows that are read together from a member that is stored in one piece."""
SECONDS_BETWEEN_LOOKS = 1.0
"""How often a file that is being read is looked at for a change; each look may cross a network."""
DECLARED_BYTES = 2**30
"""Values of a file that may be declared without any being stored."""
DECLARED_RATIO = 1100
"""Declared bytes for each of the file's beyond them. DEFLATE makes 1,032 of one at most."""
MOST_VIRTUAL = 16
"""Virtual datasets of virtual datasets; more are a circle."""


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
    return str(package_folder(package) / inside)


def open_file(path: Path) -> h5py.File:
    """Open for reading, once a process of its own has survived a look at it.

    Raises `BaryonError` if it is no HDF5 file, is truncated, damaged or unreadable.
    """
    import h5py

    inspect(path)
    try:
        # Readers need no lock, and network file systems often refuse one.
        return h5py.File(path, "r", locking=False)
    except Exception as error:  # h5py raises OSError, RuntimeError and others
        kind = file_kind(path) if path.is_file() and os.access(path, os.R_OK) else None
        if kind:
            raise BaryonError(f"{path} is no HDF5 but {kind.name}: {kind.advice}") from error
        raise BaryonError(
            f"{path} cannot be read as HDF5 ({' '.join(str(error).split())}): "
            "fetch or generate it again"
        ) from error


def require_sound(path: Path) -> None:
    """Raise `BaryonError` for an HDF5 file that another library, xarray say, had better not read.

    A dataset whose chunks do not fit its shape or the file, or whose values lie in other files.
    """
    for name, reason in inspect(path).items():
        if reason == EXTERNAL:
            advice = "copy the values into the file (h5repack)"
        else:
            advice = "fetch the file again"
        raise BaryonError(f"{path}: {name.lstrip('/')!r} cannot be read ({reason}): {advice}")


class Hdf5Table:
    """The rows of several files, for the members that were asked for.

    `members` maps a field name to the member's path in the files. All files must hold all of
    them, with one row count a file, and with one sample shape and dtype in all files.

    Links and virtual datasets are followed to other files in the folder of the file, or in any
    folder inside `following_links(True)`; these count for the fingerprint as the file itself.

    `read` may be called by several threads at once. They decode side by side, past the HDF5
    library; a member that only the library can decode is read through it, which is said once.

    It can be pickled: whoever it is sent to opens the files anew.
    """

    def __init__(self, paths: Sequence[Path], members: Mapping[str, str]) -> None:
        self.paths = list(paths)
        self.members = dict(members)
        self._everywhere = follows_links()
        own = [[_version(path)] for path in self.paths]
        self._looked = [time.monotonic()] * len(self.paths)
        self._places = [staged(path) for path in self.paths]
        self._open()
        self._versions = [
            [*its, *map(_version, files.others)]
            for its, files in zip(own, self._files, strict=True)
        ]
        for folder in {path.resolve().parent for path in self.paths}:
            tell_of_locks(folder)
        counts = [self._rows(number) for number in range(len(self.paths))]
        self.starts = np.concatenate([[0], np.cumsum(counts)])
        self.shapes = {field: self._one(field, "shape") for field in members}
        self.dtypes = {field: np.dtype(self._one(field, "dtype")) for field in members}
        for number in range(len(self.paths)):
            self._require_plausible(number)
            self._tell_of(number)

    def _open(self) -> None:
        """Open the files and those that they lead to, and find how each member is read."""
        self._files: list[LinkedFiles] = []
        self._stored: dict[tuple[int, str], h5py.Dataset] = {}
        self._readers: dict[tuple[int, str], Rows] = {}
        try:
            for number in range(len(self.paths)):
                self._open_one(number)
        except BaseException:
            self.close()
            raise

    def _open_one(self, number: int) -> None:
        path = self.paths[number]
        files = LinkedFiles(
            path, open_file, place=self._places[number], everywhere=self._everywhere
        )
        self._files.append(files)
        for field, name in self.members.items():
            stored = member(files, name)
            self._stored[number, field] = stored
            with _unreadable(path, name):
                self._readers[number, field] = rows_of(stored, files, name)

    def __getstate__(self) -> dict[str, Any]:
        """All but open files."""
        opened = ("_files", "_stored", "_readers")
        return {key: value for key, value in self.__dict__.items() if key not in opened}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Raises `BaryonError` if a file changed in between."""
        self.__dict__.update(state)
        for number in range(len(self.paths)):
            self.require_unchanged(number)
        self._open()

    def __len__(self) -> int:
        return int(self.starts[-1])

    def _rows(self, number: int) -> int:
        counts = {
            name: self._stored[number, field].shape[0] for field, name in self.members.items()
        }
        if len(set(counts.values())) > 1:
            shown = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise BaryonError(f"{self.paths[number]}: its members differ in length ({shown})")
        return int(next(iter(counts.values())))

    def _one(self, field: str, attribute: str) -> Any:
        """Shape of a sample or dtype of a field, which must be the same in all files."""
        first = self._property(0, field, attribute)
        for number in range(1, len(self.paths)):
            other = self._property(number, field, attribute)
            if other != first:
                raise BaryonError(
                    f"{self.paths[number]}: member {self.members[field]!r} has {attribute} "
                    f"{other}, but {first} in {self.paths[0]}: give files of one kind"
                )
        return first

    def _property(self, number: int, field: str, attribute: str) -> Any:
        stored = self._stored[number, field]
        return stored.shape[1:] if attribute == "shape" else stored.dtype

    def _require_plausible(self, number: int) -> None:
        """Raise `BaryonError` for a file that declares far more values than it can hold."""
        declared = sum(data_bytes(self._stored[number, field]) for field in self.members)
        held = sum(version[1] for version in self._versions[number])
        if declared > DECLARED_BYTES and declared > DECLARED_RATIO * held:
            raise BaryonError(
                f"{self.paths[number]} declares {declared:,} bytes of values, but has {held:,}: "
                "hardly any of it was ever written; write it anew"
            )

    def _tell_of(self, number: int) -> None:
        """Warn of members that one thread at a time reads, and of what was never written."""
        for field, name in self.members.items():
            stored = self._stored[number, field]
            reason = direct_read_blocker(stored)
            if reason and stored.chunks:
                warn(
                    f"{self.paths[number]}: member {name!r} is read by one thread at a time, for "
                    f"{reason}; `baryon data repack` writes it anew with gzip, or "
                    "data.processes=<N> reads it in as many processes"
                )
            with _unreadable(self.paths[number], name):
                unwritten = self._readers[number, field].unwritten()
                value = stored.fillvalue
            if unwritten:
                warn(
                    f"{self.paths[number]}: of member {name!r} {unwritten} were never written, and "
                    f"read as {value}: was the program that wrote it stopped?"
                )

    def chunk_starts(self, field: str) -> list[int]:
        """First row of every stored chunk of a field, over all files."""
        found: list[int] = []
        for number, (start, stop) in enumerate(pairwise(self.starts.tolist())):
            reader, chunks = self._readers[number, field], self._stored[number, field].chunks
            if isinstance(reader, VirtualMember):
                found += [start + row for row in reader.starts()] if stop > start else []
            else:
                found += range(start, stop, chunks[0] if chunks else ROWS_WITHOUT_CHUNKS)
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
        try:
            return self._readers[number, field].read(first, last)
        except BaryonError:
            raise
        except Exception as error:  # of a damaged file, h5py's are of many types
            self.require_unchanged(number)
            raise BaryonError(
                f"{self.paths[number]}: member {self.members[field]!r} cannot be read in rows "
                f"{first} to {last - 1} ({_reason(error)}): fetch or generate it again"
            ) from error

    def _look(self, number: int) -> None:
        now = time.monotonic()
        if now - self._looked[number] >= SECONDS_BETWEEN_LOOKS:
            self._looked[number] = now
            self.require_unchanged(number)

    def require_unchanged(self, number: int) -> None:
        """Raise `BaryonError` if a file is no longer what it was when the table was opened.

        Or a file that it leads to.
        """
        names = [self.paths[number], *(Path(then[0]) for then in self._versions[number][1:])]
        for name, then in zip(names, self._versions[number], strict=True):
            now = _version(name)
            if then != now:
                grown = f"its size went from {then[1]:,} to {now[1]:,} bytes"
                what = grown if then[1] != now[1] else "it was written again"
                raise BaryonError(
                    f"{name} changed while it was read ({what}): wait until it is written, "
                    "then start again"
                )

    def place(self, row: int) -> str:
        """The file and the row in it, for a message about one row."""
        number = int(np.searchsorted(self.starts, row, side="right")) - 1
        return f"{self.paths[number]}, row {row - int(self.starts[number])}"

    def stored(self) -> list[StorageInfo]:
        """How each member is stored in each file."""
        return [
            describe(path, self._stored[number, field], name)
            for number, path in enumerate(self.paths)
            for field, name in self.members.items()
        ]

    def fingerprint(self) -> str:
        """Hash of the files' absolute names, sizes and times of change, and of the members.

        Of the files that they lead to as well; as they were when the table was opened.
        """
        return hashlib.sha256(repr((self._versions, self.members)).encode()).hexdigest()[:16]

    def close(self) -> None:
        """Close all files."""
        for files in self._files:
            files.close()


def _version(path: Path) -> tuple[str, int, int]:
    """Absolute name, size and time of change. Raises `BaryonError` if it cannot be looked at."""
    try:
        found = os.stat(path)  # noqa: PTH116  one call for both
    except OSError as error:
        raise BaryonError(f"{path} cannot be read: {error.strerror}") from error
    return str(path.resolve()), found.st_size, found.st_mtime_ns


def rows_of(stored: h5py.Dataset, files: LinkedFiles, name: str, depth: int = 0) -> Rows:
    """What reads the rows of a member: past the library, from its sources, or through the library.

    Raises `BaryonError` or `DecodeError` for one that cannot be read.
    """
    if depth > MOST_VIRTUAL:
        raise DecodeError("its sources lead in a circle")
    filters.require(stored)
    if stored.is_virtual:
        return virtual_member(
            stored, files, name, lambda source: rows_of(source, files, name, depth + 1)
        )
    if stored.chunks:
        chunk_bytes(stored)
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
    """Whether a file holds a member, or a link that should lead to it."""
    files = LinkedFiles(path, open_file)
    with closing(files):
        return files.find(name) is not None


def count_rows(path: Path, name: str) -> int:
    """Rows of a member of a file; 0 if it holds no such member."""
    with closing(LinkedFiles(path, open_file)) as files:
        stored = files.find(name)
        with one_line(path, f"member {name!r}"):
            return int(stored.shape[0]) if getattr(stored, "shape", ()) else 0


def attributes(path: Path) -> dict[str, Any]:
    """The attributes of a file's root."""
    with open_file(path) as file, one_line(path, "an attribute"):
        return dict(file.attrs)
