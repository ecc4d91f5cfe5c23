"""Lock files and folders so that the kernel releases the lock however its holder dies."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from baryon.errors import BaryonError, cannot_write
from baryon.system.plain_data import Shape, fits, is_count, is_text, read_json
from baryon.terminal.console import say

SECONDS_BETWEEN_POLLS = 0.5
SECONDS_OF_A_QUERY = 0.05
"""Longer than it takes to ask whether a lock is held."""
NAME = ".lock"
HOLDER: Shape = {
    "host": is_text,
    "process": lambda pid: is_count(pid) and pid > 1,
    "since": is_text,
}


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file or folder without waiting; return whether the lock was free.

    The lock is an advisory `flock`. It ends when the descriptor is closed, and at the latest with
    the process.

    Raises
    ------
    OSError
        If the file system has no locks.

    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def wait_for_lock(descriptor: int) -> None:
    """Lock an open file or folder exclusively, as soon as it is free.

    Raises
    ------
    OSError
        If the file system has no locks.

    """
    fcntl.flock(descriptor, fcntl.LOCK_EX)


class NoLocksError(BaryonError):
    """The file system of a folder has no locks."""


class Lock:
    """Exclusive lock on a file of a folder, which says who holds it.

    Linux passes `flock` on to the server of NFS 4; Lustre and GPFS have it where the site allows
    it. A file system without locks is refused: two writers in one folder would destroy each other's
    work.
    """

    def __init__(self, folder: Path, name: str = NAME) -> None:
        self._path = folder / name
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock and return True if it is free, otherwise return False.

        Raises
        ------
        NoLocksError
            If the file system has no locks.
        BaryonError
            If the lock's file cannot be written.

        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise BaryonError(cannot_write(self._path, error)) from error
        try:
            # `is_held` holds the lock for a moment: try once more after that.
            if not any(_try_lock(descriptor, self._path) for _ in _two_attempts()):
                os.close(descriptor)
                return False
        except NoLocksError:
            os.close(descriptor)
            raise
        holder = {"host": socket.gethostname(), "process": os.getpid(), "since": _now()}
        # The file is emptied and filled, not replaced: a new file would carry a lock of its own.
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Release the lock if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def read_holder(self) -> dict[str, Any]:
        """Return what the holder wrote (see `HOLDER`), or {} while it is being written."""
        try:
            holder = read_json(self._path)
        except BaryonError:
            return {}
        return holder if fits(holder, HOLDER) else {}

    def holder(self) -> str:
        """Describe the holder for a message."""
        holder = self.read_holder()
        if not holder:
            return "another process"
        return f"process {holder['process']} on {holder['host']} since {holder['since']}"


def is_held(folder: Path) -> bool:
    """Return whether a living process holds the lock of a folder, without changing anything there.

    Raises
    ------
    NoLocksError
        If the file system has no locks.

    """
    path = folder / NAME
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Shared, so that several processes may ask at once.
        return not _try_lock(descriptor, path, shared=True)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, path: Path, *, shared: bool = False) -> bool:
    try:
        return try_lock(descriptor, shared=shared)
    except OSError as error:
        raise NoLocksError(
            f"cannot lock {path}: {error.strerror}; a sweep must lie on a file system "
            "with locks: choose another by run.root=<folder>"
        ) from error


def _two_attempts() -> Iterator[None]:
    yield
    time.sleep(SECONDS_OF_A_QUERY)
    yield


@contextmanager
def held(folder: Path, refusal: str) -> Iterator[None]:
    """Hold the lock of a folder during the block.

    Raises
    ------
    BaryonError
        If another process holds it: `refusal`, in which `{holder}` is replaced.

    """
    lock = Lock(folder)
    if not lock.acquire():
        raise BaryonError(refusal.format(holder=lock.holder()))
    try:
        yield
    finally:
        lock.release()


@contextmanager
def awaited(folder: Path, message: str) -> Iterator[None]:
    """Hold the lock of a folder during the block, after waiting until it is free.

    If another process holds it, print `message` once, in which `{holder}` is replaced.
    """
    lock = Lock(folder)
    announced = False
    while not lock.acquire():
        if not announced:
            say(message.format(holder=lock.holder()))
            announced = True
        time.sleep(SECONDS_BETWEEN_POLLS)
    try:
        yield
    finally:
        lock.release()


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
