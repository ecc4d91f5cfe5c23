"""Who works in a folder: a lock that the kernel takes back however its holder dies."""

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

from baryon.errors import BaryonError
from baryon.system.atomic import cannot_write
from baryon.system.plain_data import Shape, fits, is_count, is_text, read_json
from baryon.terminal.console import say

SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_OF_A_QUESTION = 0.05
"""Longer than it takes to ask whether a lock is held."""
NAME = ".lock"
HOLDER: Shape = {
    "host": is_text,
    "process": lambda pid: is_count(pid) and pid > 1,
    "since": is_text,
}


class NoLocksError(BaryonError):
    """The file system of a folder knows no locks."""


class Lock:
    """An exclusive `flock` on a file of the folder, which says who holds it.

    Linux hands it on to the server of NFS 4; Lustre and GPFS know it where the site allows it. A
    file system without locks is refused: two writers in one folder would destroy each other's work.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._file: int | None = None

    def acquire(self) -> bool:
        """Whether it was free. Raises `NoLocksError` if the file system knows no locks."""
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise BaryonError(cannot_write(self._path, error)) from error
        try:
            # Who only asks whether it is held holds it for a moment: see `is_held`.
            if not any(_locked(file, self._path, fcntl.LOCK_EX) for _ in _moments()):
                os.close(file)
                return False
        except NoLocksError:
            os.close(file)
            raise
        me = {"host": socket.gethostname(), "process": os.getpid(), "since": _now()}
        os.truncate(file, 0)
        os.pwrite(file, json.dumps(me).encode(), 0)
        self._file = file
        return True

    def release(self) -> None:
        """Let others in; nothing if it was not acquired."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def told(self) -> dict[str, Any]:
        """What its holder wrote; nothing while it is just being written."""
        try:
            told = read_json(self._path)
        except BaryonError:
            return {}
        return told if fits(told, HOLDER) else {}

    def holder(self) -> str:
        """Who holds it, in words."""
        told = self.told()
        if not told:
            return "another process"
        return f"process {told['process']} on {told['host']} since {told['since']}"


def holding(folder: Path) -> int | None:
    """The living process of this host that works in a folder."""
    told = Lock(folder).told()
    here = told.get("host") == socket.gethostname()
    return int(told["process"]) if here and is_held(folder) else None


def is_held(folder: Path) -> bool:
    """Whether a living process works in a folder; asking changes nothing there."""
    path = folder / NAME
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _locked(file, path, fcntl.LOCK_SH)
    finally:
        os.close(file)


def _locked(file: int, path: Path, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise NoLocksError(
            f"cannot lock {path}: {error.strerror}; a sweep must lie on a file system "
            "with locks: choose another by run.root=<folder>"
        ) from error
    return True


def _moments() -> Iterator[None]:
    yield
    time.sleep(SECONDS_OF_A_QUESTION)
    yield


@contextmanager
def held(folder: Path, refusal: str) -> Iterator[None]:
    """Work alone in a folder. Raises `BaryonError` with `refusal` and who holds it."""
    lock = Lock(folder)
    if not lock.acquire():
        raise BaryonError(refusal.format(holder=lock.holder()))
    try:
        yield
    finally:
        lock.release()


@contextmanager
def awaited(folder: Path, waiting: str) -> Iterator[None]:
    """Work alone in a folder, as soon as nobody else does; `waiting` is said if that takes time."""
    lock = Lock(folder)
    told = False
    while not lock.acquire():
        if not told:
            say(waiting.format(holder=lock.holder()))
            told = True
        time.sleep(SECONDS_BETWEEN_LOOKS)
    try:
        yield
    finally:
        lock.release()


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
