"""Copy files to a node's own disk before they are read, once for all processes of the node.

Staging is a property of opening a file, not of datasets: `staging` is a context around the building
of a dataset, so every plugin that reads through `Hdf5Table` gets it.

A copy is named by its original's path, size and time of change, so that a changed file is copied
anew. Only reading goes to the copy: messages and fingerprints name the original.

Copies lie in a folder of our own below the one that the user names, which nobody else can write
to. Only what lies there is ever trusted as a copy, or removed: the user's folder may hold anything.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from baryon.errors import BaryonError
from baryon.system.atomic import atomic_write
from baryon.system.locks import wait_for_lock
from baryon.terminal.console import say, warn
from baryon.terminal.units import size

MIB = 2**20
HASH_DIGITS = 16  # at the beginning of a copy's name
COPY_PATTERN = "[0-9a-f]" * HASH_DIGITS + "-*"


@dataclass(frozen=True)
class Stage:
    """A folder on the node's own disk for copies."""

    folder: Path
    capacity: int
    """Bytes that all copies together may take."""
    used: set[Path] = field(default_factory=set)
    """Copies that this process reads; they are not removed to make room for each other."""


_stage: ContextVar[Stage | None] = ContextVar("stage", default=None)


@contextmanager
def staging(folder: str | None, mib: float) -> Iterator[None]:
    """Stage the files that are opened during the block; with None read them in place.

    Parameters
    ----------
    folder
        Folder on the node's own disk, `data.stage`.
    mib
        MiB that all copies together may take, `data.stage_mib`.

    Raises
    ------
    BaryonError
        If the folder cannot be made, or belongs to somebody else.

    """
    if folder is None:
        yield
        return
    token = _stage.set(Stage(_private_folder(folder), int(mib * MIB)))
    try:
        yield
    finally:
        _stage.reset(token)


def _private_folder(folder: str) -> Path:
    """Make this user's folder of copies below `folder`, or check that it is this user's alone."""
    private = Path(folder).expanduser() / f"baryon-staged-{os.geteuid()}"
    try:
        private.parent.mkdir(parents=True, exist_ok=True)
        private.mkdir(mode=0o700, exist_ok=True)
        status = private.lstat()  # not `stat`: a link could lead to another user's folder
    except OSError as error:
        raise BaryonError(f"data.stage={folder} cannot be made: {error.strerror}") from error
    open_to_others = stat.S_IMODE(status.st_mode) & 0o077
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or open_to_others:
        raise BaryonError(
            f"data.stage={folder}: {private} is not a folder of yours alone (owner "
            f"{status.st_uid}, mode {stat.filemode(status.st_mode)}): remove it or give another "
            "data.stage"
        )
    return private


def staged(path: Path) -> Path:
    """Return the copy of a file on this node's disk, and copy the file first if need be.

    Outside `staging` it is the file itself. So it is, after a warning, if the file finds no room or
    cannot be copied.
    """
    stage = _stage.get()
    if stage is None:
        return path
    try:
        return _copy_of(path, stage)
    except (OSError, BaryonError) as error:
        reason = str(error).partition(";")[0]  # what follows advises on the run's own folder
        warn(f"{path} is read in place: it cannot be staged in {stage.folder} ({reason})")
        return path


def _copy_of(path: Path, stage: Stage) -> Path:
    original = path.stat()
    key = repr((str(path.resolve()), original.st_size, original.st_mtime_ns))
    copy = stage.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:HASH_DIGITS]}-{path.name}"
    with _locked(stage.folder):
        if not copy.is_symlink() and copy.is_file() and copy.stat().st_size == original.st_size:
            stage.used.add(copy)
            os.utime(copy)  # used last: the last to be removed
            say(f"{path} is read from its copy in {stage.folder}")
            return copy
        if not _make_room(stage, original.st_size):
            warn(
                f"{path} is read in place: its {size(original.st_size)} do not fit into "
                f"data.stage_mib={stage.capacity / MIB:g} or on the disk of {stage.folder}"
            )
            return path
        with atomic_write(copy) as temporary:
            shutil.copyfile(path, temporary)
        stage.used.add(copy)
        say(f"{path} is staged in {stage.folder} ({size(original.st_size)})")
    return copy


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process of the node in at a time; the others wait for its copy and find it there.

    By a file lock, not by MPI: ranks of a node may belong to different runs.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(folder / ".lock", flags, 0o600)
    try:
        wait_for_lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _make_room(stage: Stage, size: int) -> bool:
    """Remove other copies, longest unused first, until `size` bytes fit; return whether they do.

    Whoever still reads a removed copy goes on: it stays on the disk until it is closed.
    """
    copies = {path: path.stat() for path in stage.folder.glob(COPY_PATTERN) if _is_copy(path)}
    total = sum(status.st_size for status in copies.values())
    in_use = sum(status.st_size for path, status in copies.items() if path in stage.used)
    if in_use + size > stage.capacity:
        return False
    for old in sorted(copies.keys() - stage.used, key=lambda path: copies[path].st_mtime_ns):
        if total + size > stage.capacity:
            total -= copies[old].st_size
            old.unlink()
    return size < shutil.disk_usage(stage.folder).free


def _is_copy(path: Path) -> bool:
    """Return whether a name in our folder is a plain file, which we alone can have put there."""
    return stat.S_ISREG(path.lstat().st_mode)
