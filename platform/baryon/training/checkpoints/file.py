"""Write and read a checkpoint as a file: whole or not at all, with a checksum, running no code.

It is what `torch.save` writes, a zip archive. The checksum is the archive's comment: `torch.load`
reads the file as it is, and file and checksum can never come apart. (PyTorch's own reader does not
verify the archive's CRCs.)
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
COMMENT_BYTES = len(PREFIX) + 64
LENGTH_BYTES = 2
"""A zip archive ends with the length of its comment in two bytes, then the comment."""
BLOCK_BYTES = 2**20


class DamagedError(BaryonError):
    """A file is not a whole checkpoint."""


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write nested mappings and lists of tensors and plain values.

    Raises `BaryonError` if the file cannot be written; what was there before stays.
    """
    with atomic_write(path) as temporary:
        try:
            with temporary.open("wb") as file:
                digesting = _DigestingFile(file)
                torch.save(dict(state), digesting)  # type: ignore[arg-type]
                file.seek(-LENGTH_BYTES, 2)
                comment = PREFIX + digesting.digest().encode()
                file.write(len(comment).to_bytes(LENGTH_BYTES, "little") + comment)
        except RuntimeError as error:  # PyTorch's report of a failed write, without its reason
            raise digesting.failure or OSError(_reason(error)) from error


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint to the CPU.

    Raises
    ------
    BaryonError
        If there is none.
    DamagedError
        If it is cut off, changed in any byte, or not written by Baryon.

    """
    if not path.is_file():
        raise BaryonError(f"{path} does not exist: the run was stopped before its first checkpoint")
    try:
        _verify(path)
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # PyTorch raises many kinds for a damaged file
        raise DamagedError(f"{path} is no readable checkpoint ({_reason(error)})") from error
    return state


def _verify(path: Path) -> None:
    """Raise `ValueError` for a file without checksum, with a wrong one, or with a zip bomb."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - COMMENT_BYTES - LENGTH_BYTES))
        length, comment = file.read(LENGTH_BYTES), file.read()
        if not comment.startswith(PREFIX) or length != COMMENT_BYTES.to_bytes(
            LENGTH_BYTES, "little"
        ):
            raise ValueError("it has no checksum at its end: half-written, or not Baryon's")
        file.seek(0)
        digest = _digest(file, size - COMMENT_BYTES - LENGTH_BYTES)
    if digest.encode() != comment[len(PREFIX) :]:
        raise ValueError("its checksum is wrong: it was changed or damaged after it was written")
    _require_stored(path, size)


def _require_stored(path: Path, size: int) -> None:
    """Raise `ValueError` for an archive that would take more memory than it is long."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("it is compressed, as Baryon's are not")
    if sum(entry.file_size for entry in entries) > size:
        raise ValueError("it says that it holds more than it is long")


def _digest(file: IO[bytes], left: int) -> str:
    digest = hashlib.sha256()
    while left and (block := file.read(min(BLOCK_BYTES, left))):
        digest.update(block)
        left -= len(block)
    return digest.hexdigest()


class _DigestingFile:
    """Writes a file from beginning to end, and digests all but its last `LENGTH_BYTES` bytes.

    Attributes
    ----------
    failure : why a write failed, which PyTorch does not tell

    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._tail = b""
        self.failure: OSError | None = None

    def write(self, data: bytes | memoryview) -> int:
        # The last bytes so far are held back: the comment is written over the archive's last ones.
        if len(data) < LENGTH_BYTES:
            held = self._tail + bytes(data)
            self._digest.update(held[:-LENGTH_BYTES])
            self._tail = held[-LENGTH_BYTES:]
        else:
            self._digest.update(self._tail)
            self._digest.update(memoryview(data)[:-LENGTH_BYTES])
            self._tail = bytes(data[-LENGTH_BYTES:])
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
