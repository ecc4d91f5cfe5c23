"""A checkpoint as a file: written whole or not at all, with a checksum; reading runs no code.

It is what `torch.save` writes, a zip archive; the checksum is the archive's comment, so that
`torch.load` reads it as it is, and file and checksum can never come apart.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch

from baryon.errors import BaryonError
from baryon.system.atomic import atomic_write

PREFIX = b"sha256:"
COMMENT = len(PREFIX) + 64
LENGTH = 2  # bytes that a zip archive ends with: the length of its comment, then the comment
BLOCK = 2**20


class DamagedError(BaryonError):
    """A file that is no whole checkpoint."""


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values. Raises `BaryonError` when the disk is full; the old stays."""
    with atomic_write(path) as temporary:
        try:
            with temporary.open("wb") as file:
                digested = _Digesting(file)
                torch.save(dict(state), digested)  # type: ignore[arg-type]
                file.seek(-LENGTH, 2)
                comment = PREFIX + digested.digest().encode()
                file.write(len(comment).to_bytes(LENGTH, "little") + comment)
        except RuntimeError as error:  # how torch reports a failed write
            raise digested.failure or OSError(_reason(error)) from error


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint to the CPU.

    Raises `BaryonError` if it is missing, `DamagedError` if it is cut off, changed in any byte, or
    none of ours.
    """
    if not path.is_file():
        raise BaryonError(f"{path} does not exist: the run was stopped before its first checkpoint")
    try:
        _verify(path)
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise DamagedError(f"{path} is no readable checkpoint ({_reason(error)})") from error
    return state


def _verify(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - COMMENT - LENGTH))
        length, comment = file.read(LENGTH), file.read()
        if not comment.startswith(PREFIX) or length != COMMENT.to_bytes(LENGTH, "little"):
            raise ValueError("it has no checksum at its end: half-written, or not Baryon's")
        file.seek(0)
        found = _digest(file, size - COMMENT - LENGTH)
    if found.encode() != comment[len(PREFIX) :]:
        raise ValueError("its checksum is wrong: it was changed or damaged after it was written")
    _require_plain(path, size)


def _require_plain(path: Path, size: int) -> None:
    """Raise `ValueError` for an archive that would take more memory than it is long."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("it is compressed, as Baryon's are not")
    if sum(entry.file_size for entry in entries) > size:
        raise ValueError("it says that it holds more than it is long")


def _digest(file: IO[bytes], left: int) -> str:
    digest = hashlib.sha256()
    while left and (block := file.read(min(BLOCK, left))):
        digest.update(block)
        left -= len(block)
    return digest.hexdigest()


class _Digesting:
    """A file that is written from its beginning to its end, digested but for its last bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._tail = b""
        self.failure: OSError | None = None
        """Why a write failed, which PyTorch does not tell."""

    def write(self, data: bytes | memoryview) -> int:
        if len(data) < LENGTH:
            held = self._tail + bytes(data)
            self._digest.update(held[:-LENGTH])
            self._tail = held[-LENGTH:]
        else:
            self._digest.update(self._tail)
            self._digest.update(memoryview(data)[:-LENGTH])
            self._tail = bytes(data[-LENGTH:])
        try:
            return self._file.write(data)
        except OSError as error:
            self.failure = error
            raise

    def flush(self) -> None:
        self._file.flush()

    def digest(self) -> str:
        return self._digest.hexdigest()


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
