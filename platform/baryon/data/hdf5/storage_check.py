"""Check where a file says that the bytes of a dataset are, before any value is read.

The HDF5 library trusts the file: it reads past the end of a chunk that is too short, and decodes
one that is too large. Here both are refused.
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

EXTERNAL = "its values are raw bytes in other files, which is not supported"

if TYPE_CHECKING:
    import h5py

    Unsigned = np.ndarray[Any, np.dtype[np.uint64]]

MIB = 2**20
MOST_CHUNK_BYTES = 2**28
"""Largest chunk, decoded; decoding takes twice as much memory in each thread.

It is the default of `data.window_mib`: larger chunks would hold more than what is mixed at a time.
"""
DEFLATE_RATIO = 1032
"""Decoded bytes per stored byte that DEFLATE reaches at most (zlib's technical details)."""
SURE_BYTES = 2**32
"""A chunk that cannot decode to more than this is not decoded to check its size."""
SHORTEST_HOLE = 4096
"""Bytes of the shortest hole that file systems leave in a sparse file."""


def chunk_bytes(stored: h5py.Dataset) -> int:
    """Return the decoded bytes of a chunk; raise `DecodeError` above `MOST_CHUNK_BYTES`."""
    size = int(stored.dtype.itemsize * prod(stored.chunks))
    if not 0 < size <= MOST_CHUNK_BYTES:
        raise DecodeError(
            f"chunks of {size:,} bytes are not supported, at most {MOST_CHUNK_BYTES:,}: "
            "`h5repack -l CHUNK=...` writes smaller ones"
        )
    return size


class ChunkIndex:
    """Offset, size and filter mask of every stored chunk of a dataset.

    Raises
    ------
    DecodeError
        For a chunk outside the dataset or the file, one that is listed twice, or one without
        filters whose size is not that of its values.

    """

    def __init__(self, stored: h5py.Dataset) -> None:
        chunk_bytes(stored)  # refuses chunks without extent, by which the corners are divided
        self.grid = tuple(
            -(-size // n) for size, n in zip(stored.shape, stored.chunks, strict=True)
        )
        if prod(self.grid) >= 2**62:
            raise DecodeError(f"its shape {stored.shape} has too many chunks of {stored.chunks}")
        cells, locations = self._listed(stored)
        self._require_in_file(stored, locations)
        self._require_whole(stored, locations)
        self._strides = [prod(self.grid[axis + 1 :]) for axis in range(len(self.grid))]
        numbers = cells.astype(np.int64) @ np.array(self._strides, np.int64)
        order = np.argsort(numbers)
        self._numbers = numbers[order]
        self._locations = locations[order].astype(np.int64)
        if (np.diff(self._numbers) == 0).any():
            raise DecodeError("a chunk is listed twice")

    def _listed(self, stored: h5py.Dataset) -> tuple[Unsigned, Unsigned]:
        """List the chunks.

        Returns their positions in the grid (n, rank), and offset, size and mask (n, 3).
        """
        corners, locations = array("Q"), array("Q")  # a list of Python integers takes far more

        def add(info: Any) -> None:
            corners.extend(info.chunk_offset)
            locations.extend((info.byte_offset, info.size, info.filter_mask))

        stored.id.chunk_iter(add)
        chunk = np.array(stored.chunks, np.uint64)
        cells = np.array(corners, np.uint64).reshape(-1, len(chunk)) // chunk
        if (cells >= np.array(self.grid, np.uint64)).any():
            raise DecodeError("a chunk lies outside its shape")
        return cells, np.array(locations, np.uint64).reshape(-1, 3)

    @staticmethod
    def _require_in_file(stored: h5py.Dataset, locations: Unsigned) -> None:
        offsets, sizes, _ = locations.T
        end = np.uint64(file_bytes(stored))
        # Not `offsets + sizes > end`: the sum may overflow.
        if ((offsets > end) | (sizes > end - np.minimum(offsets, end))).any():
            raise DecodeError("a chunk lies beyond the end of the file")

    @staticmethod
    def _require_whole(stored: h5py.Dataset, locations: Unsigned) -> None:
        _, sizes, skipped = locations.T
        expected, count = chunk_bytes(stored), stored.id.get_create_plist().get_nfilters()
        every = np.uint64(2**count - 1)
        bare = skipped & every == every
        if (sizes[bare] != expected).any():
            wrong = int(sizes[bare][np.argmax(sizes[bare] != expected)])
            raise DecodeError(f"a chunk without filters has {wrong:,} bytes, not {expected:,}")

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def missing(self) -> int:
        """Number of chunks that were never written."""
        return int(prod(self.grid)) - len(self)

    def locate(self, cell: tuple[int, ...]) -> tuple[int, int, int] | None:
        """Return offset, size and filter mask of a chunk; None if it was never written."""
        number = sum(map(mul, cell, self._strides))
        position = int(np.searchsorted(self._numbers, number))
        if position == len(self) or self._numbers[position] != number:
            return None
        offset, size, skipped = self._locations[position].tolist()
        return offset, size, skipped

    def locations(self) -> list[tuple[int, int, int]]:
        """Return offset, size and filter mask of all stored chunks."""
        return [(offset, size, skipped) for offset, size, skipped in self._locations.tolist()]


def file_bytes(stored: h5py.Dataset) -> int:
    """Return the length of the file that a dataset is in."""
    return int(os.stat(stored.file.filename).st_size)  # noqa: PTH116


def require_contiguous(stored: h5py.Dataset) -> None:
    """Raise `DecodeError` if a contiguous dataset reaches beyond the end of its file."""
    offset = stored.id.get_offset()
    if offset is not None and offset + data_bytes(stored) > file_bytes(stored):
        raise DecodeError("the file ends before the data does")


def data_bytes(stored: h5py.Dataset) -> int:
    """Return the decoded bytes of all values of a dataset."""
    return int(stored.dtype.itemsize * prod(stored.shape))


def hole_bytes(stored: h5py.Dataset) -> int:
    """Return the bytes of a contiguous dataset that are a hole of its file: never written."""
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
    except OSError:  # a file system without SEEK_HOLE
        return 0
    finally:
        os.close(descriptor)
    return total if total >= SHORTEST_HOLE else 0


def require_bounded(stored: h5py.Dataset, index: ChunkIndex) -> None:
    """Raise `DecodeError` for a DEFLATE chunk that decodes to far more than a chunk's bytes.

    The library does not bound what it decodes. Only chunks that could decode to more than
    `SURE_BYTES` are decoded for this check.
    """
    from h5py import h5z

    plist = stored.id.get_create_plist()
    codes = [plist.get_filter(number)[0] for number in range(plist.get_nfilters())]
    if h5z.FILTER_DEFLATE not in codes:
        return
    expected, number = chunk_bytes(stored), codes.index(h5z.FILTER_DEFLATE)
    with open(stored.file.filename, "rb") as file:  # noqa: PTH123
        for offset, size, skipped in index.locations():
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
    except zlib.error:  # the library reports it as well
        return False
    return total > most


def unsafe_reason(stored: h5py.Dataset) -> str:
    """Return why the library must not read a dataset's values; empty if it may."""
    try:
        if stored.external:
            return EXTERNAL
        if stored.is_virtual:
            return "its values are in other files"
        if stored.chunks is None:
            require_contiguous(stored)
        elif hasattr(stored.id, "chunk_iter"):
            require_bounded(stored, ChunkIndex(stored))
    except DecodeError as error:
        return str(error)
    return ""
