"""Writing files so that nothing is ever half there: to a temporary name, then renamed."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from baryon.errors import BaryonError

RANDOM_LETTERS = 8  # of a temporary name


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; when the block ends well it takes the path's place.

    Raises `BaryonError` when the disk is full or not writable; what was there before stays.
    """
    temporary = _temporary_name(path)
    try:
        # Made by `open`, not by `mkstemp`: the kernel applies the umask, which a process with
        # several threads cannot read without setting it for all of them.
        temporary.touch(mode=0o666, exist_ok=False)
    except OSError as error:
        raise BaryonError(cannot_write(path, error)) from error
    try:
        yield temporary
        _to_disk(temporary)
        temporary.replace(path)
    except OSError as error:
        raise BaryonError(cannot_write(path, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`; when the block ends well it takes that name.

    Raises `BaryonError` if `path` is there already, or when the disk is full or not writable.
    """
    with _beside(path) as temporary:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _to_disk(file)
        require_new(path)
        temporary.rename(path)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a path of the same name in a temporary folder; when the block ends well it is moved.

    For writers that look at a file's name. Raises like `new_folder`.
    """
    with _beside(path) as folder:
        temporary = folder / path.name
        yield temporary
        _to_disk(temporary)
        require_new(path)
        temporary.rename(path)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A hidden folder beside `path`, locked while this process lives, and gone afterwards."""
    require_new(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary_name(path)
        temporary.mkdir()
    except OSError as error:
        raise BaryonError(cannot_write(path, error, "out")) from error
    lock = os.open(temporary, os.O_RDONLY)
    try:
        _lock(lock)
        yield temporary
    except OSError as error:
        raise BaryonError(cannot_write(path, error, "out")) from error
    finally:
        os.close(lock)
        shutil.rmtree(temporary, ignore_errors=True)


def stale_temporaries(folder: Path, name: str = "*") -> list[Path]:
    """Hidden folders that `new_folder` or `new_file` made for `name`, and whose process was killed.

    None where the file system knows no locks.
    """
    ending = "[0-9a-f]" * RANDOM_LETTERS
    return sorted(path for path in folder.glob(f".{name}.{ending}") if _is_left(path))


def _is_left(folder: Path) -> bool:
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # it has just gone, or is not ours
        return False
    try:
        return _lock(lock)
    finally:
        os.close(lock)


def _lock(handle: int) -> bool:
    """Whether this process has the lock now; it is free when the process ends, however it does."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def require_new(path: Path) -> None:
    """Raise `BaryonError` if there is something of this name: nothing is ever written over."""
    if path.exists():
        raise BaryonError(f"{path} exists already: give another with out=<name>")


def write_text(path: Path, text: str) -> None:
    """Put a text in the place of what was there."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def cannot_write(path: Path, error: OSError, key: str = "run.root") -> str:
    """One line about a file or folder that could not be written, and the key that moves it."""
    reason = error.strerror or str(error)
    return f"cannot write {path}: {reason}; make room or give another folder with {key}=<folder>"


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _temporary_name(path: Path) -> Path:
    """Return a hidden name beside `path` that nobody else takes."""
    return path.parent / f".{path.name}.{secrets.token_hex(RANDOM_LETTERS // 2)}"
