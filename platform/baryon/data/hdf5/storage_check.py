"""Where the bytes of a dataset lie in its file, held against what they can be.

The HDF5 library trusts what a file says of itself: it reads a chunk that is too short past its end
and decodes one that is too large. Here both are refused before a value is read.
"""

from __future__ import annotations

import os
import zlib
from array import array
from math import prod
from operator import mul
from typing import TYPE_CHECKING, Any

import numpy as np

from baryon.data.hdf5.filters import DecodeError

EXTERNAL = "its values lie in other files as raw bytes, which is not read"

if TYPE_CHECKING:
    import h5py

MIB = 2**20
MOST_CHUNK_BYTES = 2**30
"""Decoded bytes of a chunk. Decoding takes up to three times as much memory in each thread."""
DEFLATE_RATIO = 1032
"""Decoded bytes for each stored one that DEFLATE reaches at most (zlib's technical details)."""
SURE_BYTES = 2**32
"""A chunk that cannot decode to more than this need not be decoded to know its size."""
SHORTEST_HOLE = 4096
"""Bytes of the smallest part of a file that file systems leave out."""


def chunk_bytes(stored: h5py.Dataset) -> int:
    """Decoded bytes of a chunk. Raises `DecodeError` if they are more than `MOST_CHUNK_BYTES`."""
    size = int(stored.dtype.itemsize * prod(stored.chunks))
    if not 0 < size <= MOST_CHUNK_BYTES:
        raise DecodeError(
            f"chunks of {size:,} bytes are not read, at most {MOST_CHUNK_BYTES:,}: "
            "`h5repack -l CHUNK=...` writes smaller ones"
        )
    return size


class ChunkIndex:
    """Place, size and left-out filters of every chunk of a dataset that is stored.

    Raises `DecodeError` for a chunk that lies outside the dataset or the file, comes twice, or has
    no filter and another size than its values.
    """

    def __init__(self, stored: h5py.Dataset) -> None:
        expected = chunk_bytes(stored)
        chunk, rank = np.array(stored.chunks, np.uint64), len(stored.chunks)
        self.grid = tuple(
            -(-size // n) for size, n in zip(stored.shape, stored.chunks, strict=True)
        )
        if prod(self.grid) >= 2**62:
            raise DecodeError(f"its shape {stored.shape} has too many chunks of {stored.chunks}")
        corners, places = array("Q"), array("Q")

        def note(info: Any) -> None:
            corners.extend(info.chunk_offset)
            places.extend((info.byte_offset, info.size, info.filter_mask))

        stored.id.chunk_iter(note)
        cells = np.array(corners, np.uint64).reshape(-1, rank) // chunk
        offsets, sizes, skipped = np.array(places, np.uint64).reshape(-1, 3).T
        if (cells >= np.array(self.grid, np.uint64)).any():
            raise DecodeError("a chunk lies outside its shape")
        self._require_in_file(stored, offsets, sizes)
        self._require_whole(stored, sizes, skipped, expected)
        self._strides = [prod(self.grid[axis + 1 :]) for axis in range(rank)]
        numbers = cells.astype(np.int64) @ np.array(self._strides, np.int64)
        order = np.argsort(numbers)
        self._numbers = numbers[order]
        self._places = np.stack([offsets, sizes, skipped], axis=1)[order].astype(np.int64)
        if (np.diff(self._numbers) == 0).any():
            raise DecodeError("a chunk is listed twice")

    @staticmethod
    def _require_in_file(stored: h5py.Dataset, offsets: Any, sizes: Any) -> None:
        end = np.uint64(file_bytes(stored))
        if ((offsets > end) | (sizes > end - np.minimum(offsets, end))).any():
            raise DecodeError("a chunk lies beyond the end of the file")

    @staticmethod
    def _require_whole(stored: h5py.Dataset, sizes: Any, skipped: Any, expected: int) -> None:
        count = stored.id.get_create_plist().get_nfilters()
        every = np.uint64(2**count - 1)
        bare = skipped & every == every
        if (sizes[bare] != expected).any():
            wrong = int(sizes[bare][np.argmax(sizes[bare] != expected)])
            raise DecodeError(f"a chunk without filters has {wrong:,} bytes, not {expected:,}")

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def missing(self) -> int:
        """Chunks that were never written."""
        return int(prod(self.grid)) - len(self)

    def place(self, cell: tuple[int, ...]) -> tuple[int, int, int] | None:
        """Offset, bytes and mask of left-out filters of a chunk; None if it was never written."""
        number = sum(map(mul, cell, self._strides))
        at = int(np.searchsorted(self._numbers, number))
        if at == len(self) or self._numbers[at] != number:
            return None
        offset, size, skipped = self._places[at].tolist()
        return offset, size, skipped

    def places(self) -> list[tuple[int, int, int]]:
        """Of all chunks that are stored."""
        return [(offset, size, skipped) for offset, size, skipped in self._places.tolist()]


def file_bytes(stored: h5py.Dataset) -> int:
    """Length of the file that a dataset is in."""
    return int(os.stat(stored.file.filename).st_size)  # noqa: PTH116


def require_contiguous(stored: h5py.Dataset) -> None:
    """Raise `DecodeError` if a dataset in one piece reaches beyond the end of its file."""
    offset = stored.id.get_offset()
    if offset is not None and offset + data_bytes(stored) > file_bytes(stored):
        raise DecodeError("the file ends before the data does")


def data_bytes(stored: h5py.Dataset) -> int:
    """Decoded bytes of all values of a dataset."""
    return int(stored.dtype.itemsize * prod(stored.shape))


def hole_bytes(stored: h5py.Dataset) -> int:
    """Bytes of a dataset in one piece that the file system says nobody ever wrote."""
    start, length = stored.id.get_offset(), data_bytes(stored)
    if start is None or not hasattr(os, "SEEK_HOLE"):
        return 0
    end, total = start + length, 0
    descriptor = os.open(stored.file.filename, os.O_RDONLY)
    try:
        while start < end:
            hole = min(end, os.lseek(descriptor, start, os.SEEK_HOLE))
            try:
                start = min(end, os.lseek(descriptor, hole, os.SEEK_DATA)) if hole < end else end
            except OSError:  # no data from there to the end of the file
                start = end
            total += start - hole
    except OSError:  # a file system that does not tell
        return 0
    finally:
        os.close(descriptor)
    return total if total >= SHORTEST_HOLE else 0


def require_bounded(stored: h5py.Dataset, index: ChunkIndex) -> None:
    """Raise `DecodeError` for a DEFLATE chunk that decodes to far more than a chunk's bytes.

    For those that the library is to decode, which does not bound it. Only chunks that could decode
    to more than `SURE_BYTES` are decoded for that.
    """
    from h5py import h5z

    plist = stored.id.get_create_plist()
    codes = [plist.get_filter(number)[0] for number in range(plist.get_nfilters())]
    if h5z.FILTER_DEFLATE not in codes:
        return
    expected, number = chunk_bytes(stored), codes.index(h5z.FILTER_DEFLATE)
    with open(stored.file.filename, "rb") as file:  # noqa: PTH123
        for offset, size, skipped in index.places():
            if skipped >> number & 1 or size * DEFLATE_RATIO <= SURE_BYTES:
                continue
            file.seek(offset)
            if _inflates_beyond(file.read(size), expected + MIB):
                raise DecodeError(f"a chunk decodes to more than its {expected:,} bytes")


def _inflates_beyond(stored: bytes, most: int) -> bool:
    inflating, total = zlib.decompressobj(), 0
    try:
        while stored and total <= most:
            total += len(inflating.decompress(stored, MIB))
            stored = inflating.unconsumed_tail
    except zlib.error:  # the library says so as well
        return False
    return total > most


def problem(stored: h5py.Dataset) -> str:
    """Why the library must not be asked for a dataset's values; empty if it may."""
    try:
        if stored.external:
            return EXTERNAL
        if stored.is_virtual:
            return "its values lie in other files"
        if stored.chunks is None:
            require_contiguous(stored)
        elif hasattr(stored.id, "chunk_iter"):
            require_bounded(stored, ChunkIndex(stored))
    except DecodeError as error:
        return str(error)
    return ""
