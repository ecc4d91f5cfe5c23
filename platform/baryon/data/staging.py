"""Files copied to a node's own disk before they are read, once for all processes of the node.

A copy is named by its original's path, size and time of change, so that a changed file is copied
anew. Only reading goes to the copy: messages and fingerprints tell of the original.

Copies lie in a folder of our own below the one that the user names, which nobody else can write
to. Only what lies there is ever trusted as a copy, or removed: the user's folder may hold anything.
"""

from __future__ import annotations

import fcntl
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
from baryon.terminal.console import say, warn
from baryon.terminal.units import size

MIB = 2**20
DIGITS = 16  # of the hash that begins a copy's name
OUR_NAMES = "[0-9a-f]" * DIGITS + "-*"


@dataclass(frozen=True)
class Stage:
    """A folder on the node's own disk, and how many bytes of copies it may hold."""

    folder: Path
    room: int
    used: set[Path] = field(default_factory=set)
    """Copies that this process needs; they are not removed for each other."""


_stage: ContextVar[Stage | None] = ContextVar("stage", default=None)


@contextmanager
def staging(folder: str | None, mib: float) -> Iterator[None]:
    """While this lasts, files that are opened are staged; with None they are not.

    Raises `BaryonError` if the folder cannot be made.
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
        about = private.lstat()
    except OSError as error:
        raise BaryonError(f"data.stage={folder} cannot be made: {error.strerror}") from error
    others = stat.S_IMODE(about.st_mode) & 0o077
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid() or others:
        raise BaryonError(
            f"data.stage={folder}: {private} is not a folder of yours alone (owner "
            f"{about.st_uid}, mode {stat.filemode(about.st_mode)}): remove it or give another "
            "data.stage"
        )
    return private


def staged(path: Path) -> Path:
    """The copy of a file on this node's disk, made if need be; the file itself without a stage.

    A file that finds no room, or whose copy cannot be made, is read where it lies, which is said.
    """
    stage = _stage.get()
    if stage is None:
        return path
    try:
        return _copy_of(path, stage)
    except (OSError, BaryonError) as error:
        reason = str(error).partition(";")[0]  # what follows advises on the run's own folder
        warn(f"{path} is read where it lies: it cannot be staged in {stage.folder} ({reason})")
        return path


def _copy_of(path: Path, stage: Stage) -> Path:
    about = path.stat()
    key = repr((str(path.resolve()), about.st_size, about.st_mtime_ns))
    copy = stage.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:DIGITS]}-{path.name}"
    with _alone(stage.folder):
        if not copy.is_symlink() and copy.is_file() and copy.stat().st_size == about.st_size:
            stage.used.add(copy)
            os.utime(copy)  # used last: the last to be removed
            say(f"{path} is read from its copy in {stage.folder}")
            return copy
        if not _make_room(stage, about.st_size):
            warn(
                f"{path} is read where it lies: its {size(about.st_size)} do not fit into "
                f"data.stage_mib={stage.room / MIB:g} or on the disk of {stage.folder}"
            )
            return path
        with atomic_write(copy) as temporary:
            shutil.copyfile(path, temporary)
        stage.used.add(copy)
        say(f"{path} is staged in {stage.folder} ({size(about.st_size)})")
    return copy


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process of the node at a time; the others wait for its copy and find it there."""
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _make_room(stage: Stage, size: int) -> bool:
    """Remove the copies of others that were used longest ago until `size` bytes fit.

    Whoever still reads a removed copy goes on: it stays on the disk until it is closed.
    """
    there = {one: one.stat() for one in stage.folder.glob(OUR_NAMES) if _is_copy(one)}
    held = sum(about.st_size for about in there.values())
    own = sum(about.st_size for one, about in there.items() if one in stage.used)
    if own + size > stage.room:
        return False
    for old in sorted(there.keys() - stage.used, key=lambda one: there[one].st_mtime_ns):
        if held + size > stage.room:
            held -= there[old].st_size
            old.unlink()
    return size < shutil.disk_usage(stage.folder).free


def _is_copy(path: Path) -> bool:
    """Whether a name in our folder is a plain file, which we alone can have put there."""
    return stat.S_ISREG(path.lstat().st_mode)
