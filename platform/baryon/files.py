"""Writing files so that nothing is ever half there: to a temporary name, then renamed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from baryon.errors import BaryonError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; when the block ends well it takes the path's place.

    Raises `BaryonError` when the disk is full or not writable; what was there before stays.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
    except OSError as error:
        raise BaryonError(cannot_write(path, error)) from error
    temporary = Path(name)
    try:
        yield temporary
        _to_disk(temporary)
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes it private
        temporary.replace(path)
    except OSError as error:
        raise BaryonError(cannot_write(path, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Put a text in the place of what was there."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def cannot_write(path: Path, error: OSError, key: str = "run.root") -> str:
    """One line about a file or folder that could not be written, and the key that moves it."""
    reason = error.strerror or str(error)
    return f"cannot write {path}: {reason}; make room or give another folder with {key}=<folder>"


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
