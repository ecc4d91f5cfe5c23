"""Write files so that none is ever half there: to a temporary name, then renamed."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from baryon.errors import BaryonError, cannot_write
from baryon.system.locks import try_lock

RANDOM_LETTERS = 8  # of a temporary name


@contextmanager
def atomic_write(path: Path, key: str = "run.root") -> Iterator[Path]:
    """Give a temporary path beside `path`, and rename it to `path` when the block ends well.

    `key` is the config key by which the user can choose another folder.

    Raises
    ------
    BaryonError
        If the disk is full or not writable. What was at `path` before stays there.

    """
    temporary = _temporary_name(path)
    try:
        # Made by `open`, not by `mkstemp`: the kernel applies the umask, which a process with
        # several threads cannot read without setting it for all of them.
        temporary.touch(mode=0o666, exist_ok=False)
    except OSError as error:
        raise BaryonError(cannot_write(path, error, key)) from error
    try:
        yield temporary
        # Before the rename: after a power cut the new name must not lead to an empty file.
        _flush_to_disk(temporary)
        temporary.replace(path)
    except OSError as error:
        raise BaryonError(cannot_write(path, error, key)) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`, and rename it to `path` when the block ends well.

    Raises
    ------
    BaryonError
        If `path` exists, or if the disk is full or not writable.

    """
    with _hidden_folder_beside(path) as temporary:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _flush_to_disk(file)
        require_new(path)
        temporary.rename(path)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a path of the same name in a temporary folder, and move it when the block ends well.

    For writers that choose the format by the file's name.

    Raises
    ------
    BaryonError
        If `path` exists, or if the disk is full or not writable.

    """
    with _hidden_folder_beside(path) as folder:
        temporary = folder / path.name
        yield temporary
        _flush_to_disk(temporary)
        require_new(path)
        temporary.rename(path)


@contextmanager
def _hidden_folder_beside(path: Path) -> Iterator[Path]:
    """Make a hidden folder beside `path`, lock it, and remove it after the block."""
    require_new(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary_name(path)
        temporary.mkdir()
    except OSError as error:
        raise BaryonError(cannot_write(path, error, "out")) from error
    descriptor = os.open(temporary, os.O_RDONLY)
    try:
        # The lock tells a folder that is being written from one whose writer was killed. Where the
        # file system has no locks, `stale_temporaries` finds none.
        with suppress(OSError):
            try_lock(descriptor)
        yield temporary
    except OSError as error:
        raise BaryonError(cannot_write(path, error, "out")) from error
    finally:
        os.close(descriptor)
        shutil.rmtree(temporary, ignore_errors=True)


def stale_temporaries(folder: Path, name: str = "*") -> list[Path]:
    """Return hidden folders of `new_folder` and `new_file` for `name` whose writer was killed.

    They are named to the user and never removed: they may hold hours of work. None are found on a
    file system without locks.
    """
    ending = "[0-9a-f]" * RANDOM_LETTERS
    return sorted(path for path in folder.glob(f".{name}.{ending}") if _is_stale(path))


def remove_temporaries(folder: Path, names: Iterable[str]) -> None:
    """Remove what killed processes left in a folder of `atomic_write` to files of these names."""
    written = set(names)
    temporary = re.compile(rf"\.(.+)\.[0-9a-f]{{{RANDOM_LETTERS}}}")
    for path in list(folder.iterdir()):
        match = temporary.fullmatch(path.name)
        if match and match[1] in written:
            path.unlink(missing_ok=True)


def remove_written(folder: Path, names: Iterable[str]) -> None:
    """Remove files of these names from a folder, and the folder if it is then empty.

    They are those that `atomic_write` wrote there; whatever else is in the folder stays.
    """
    written = set(names)
    for name in written:
        (folder / name).unlink(missing_ok=True)
    remove_temporaries(folder, written)
    with suppress(OSError):  # the user keeps something there
        folder.rmdir()


def _is_stale(folder: Path) -> bool:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # it has just gone, or is not ours
        return False
    try:
        return try_lock(descriptor)
    except OSError:  # no locks here: nobody can tell
        return False
    finally:
        os.close(descriptor)


def require_new(path: Path) -> None:
    """Raise `BaryonError` if `path` exists: nothing is ever overwritten."""
    if path.exists():
        raise BaryonError(f"{path} exists already: give another with out=<name>")


def write_text(path: Path, text: str, key: str = "run.root") -> None:
    """Write a text file atomically, in the place of what was there; `key` as in `atomic_write`.

    Raises
    ------
    BaryonError
        If the disk is full or not writable.

    """
    with atomic_write(path, key) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _flush_to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _temporary_name(path: Path) -> Path:
    """Return a hidden name beside `path` that nobody else takes."""
    return path.parent / f".{path.name}.{secrets.token_hex(RANDOM_LETTERS // 2)}"
