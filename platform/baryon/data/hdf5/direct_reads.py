"""Read a member of an HDF5 file without the HDF5 library: read raw bytes and decode them here.

The library is asked once for the positions of the chunks. From then on any number of threads read
and decode in parallel. The library itself, `read_direct_chunk` included, holds its own lock and
Python's GIL while it waits for a disk.
"""

from __future__ import annotations

import itertools
import os
import threading
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from baryon.data.hdf5 import filters
from baryon.data.hdf5.filters import Bytes, DecodeError
from baryon.data.hdf5.storage_check import ChunkIndex, hole_bytes, require_contiguous, unsafe_reason

if TYPE_CHECKING:
    import h5py

    Array = np.ndarray[Any, Any]

NUMBERS = "biufc"
"""Kinds of NumPy dtypes whose values are stored as plain numbers."""


def direct_read_blocker(stored: h5py.Dataset) -> str:
    """Return why only the HDF5 library can read a member; empty if `DirectReader` can."""
    import h5py

    kind, file = stored.dtype, stored.file
    if kind.kind not in NUMBERS or stored.id.get_type() != h5py.h5t.py_create(kind, logical=True):
        return f"its type {kind} is not stored as plain numbers"
    if file.driver != "sec2" or file.userblock_size:
        return "its file is not a plain HDF5 file"
    if stored.is_virtual:
        return ""
    if stored.chunks is None:
        return "" if stored.id.get_offset() is not None else "it is stored in the file's header"
    if not hasattr(stored.id, "chunk_iter"):
        return "this h5py cannot list chunks"
    decoders = filters.decoders(stored)
    unknown = [n for n, step in zip(filters.names(stored), decoders, strict=True) if step is None]
    if unknown:
        return f"only the HDF5 library decodes its filter {unknown[0]}"
    # Each decompressor is told the size of the decoded chunk, not that of an inner stage.
    compressions = [step for step in decoders if step in (filters.inflate, filters.expand_lzf)]
    return "it is compressed twice" if len(compressions) > 1 else ""


class DirectReader:
    """Reads rows of a member without `direct_read_blocker`, from any number of threads at once."""

    def __init__(self, stored: h5py.Dataset) -> None:
        self._stored = stored
        self._descriptor: int = stored.file.id.get_vfd_handle()
        self._dtype: np.dtype[Any] = stored.dtype
        self._shape: tuple[int, ...] = stored.shape
        self._chunk: tuple[int, ...] | None = stored.chunks
        self._decoders = filters.decoders(stored)
        self._offset: int = stored.id.get_offset() if stored.chunks is None else 0
        self._index: ChunkIndex | None = None
        self._lock = threading.Lock()

    def read(self, start: int, stop: int) -> Array:
        """Read rows `start` to `stop` - 1; raise `DecodeError` or `OSError` for a damaged file."""
        if self._chunk is None:
            rows = np.empty((stop - start, *self._shape[1:]), self._dtype)
            row = self._dtype.itemsize * prod(self._shape[1:])
            self._pread(rows.reshape(-1).view(np.uint8), self._offset + start * row)
            return rows
        first, last = start // self._chunk[0], (stop - 1) // self._chunk[0]
        if first == last and self._chunk[1:] == self._shape[1:]:
            # The usual case, whole samples of one chunk, needs no copy.
            begin = first * self._chunk[0]
            values = self._decode_chunk((first, *[0] * (len(self._shape) - 1)))
            return values[start - begin : stop - begin]
        return self._read_chunks(range(first, last + 1), start, stop)

    def unwritten(self) -> str:
        """Describe the part of the member that was never written; empty if there is none.

        Raises `DecodeError` if the file cannot hold what the member declares.
        """
        if self._chunk is None:
            require_contiguous(self._stored)
            return _unwritten_rows(self._stored)
        return _unwritten_chunks(self._chunk_index())

    def _read_chunks(self, numbers: range, start: int, stop: int) -> Array:
        """Read rows from several chunks, or from chunks that hold parts of samples."""
        assert self._chunk is not None
        rows = np.empty((stop - start, *self._shape[1:]), self._dtype)
        grid = [range(-(-size // c)) for size, c in zip(self._shape, self._chunk, strict=True)]
        for cell in itertools.product(numbers, *grid[1:]):
            begin = [number * size for number, size in zip(cell, self._chunk, strict=True)]
            low = [max(begin[0], start), *begin[1:]]
            high = [
                min(b + size, end)
                for b, size, end in zip(begin, self._chunk, (stop, *self._shape[1:]), strict=True)
            ]
            in_chunk = tuple(slice(a - b, z - b) for a, z, b in zip(low, high, begin, strict=True))
            in_rows = (slice(low[0] - start, high[0] - start), *map(slice, low[1:], high[1:]))
            rows[in_rows] = self._decode_chunk(cell)[in_chunk]
        return rows

    def _decode_chunk(self, cell: tuple[int, ...]) -> Array:
        """Read and decode one chunk, by its position in the grid of chunks."""
        assert self._chunk is not None
        location = self._chunk_index().locate(cell)
        if location is None:
            return np.full(self._chunk, self._stored.fillvalue, self._dtype)
        offset, size, skipped = location
        raw = np.empty(size, np.uint8)
        self._pread(raw, offset)
        expected = self._dtype.itemsize * prod(self._chunk)
        decoded = filters.decode(raw, expected, self._decoders, skipped)
        return decoded.view(self._dtype).reshape(self._chunk)

    def _chunk_index(self) -> ChunkIndex:
        with self._lock:  # made at the first read: listing the chunks of a large file takes time
            if self._index is None:
                self._index = ChunkIndex(self._stored)
            return self._index

    def _pread(self, buffer: Bytes, offset: int) -> None:
        """Fill a buffer from the file; no shared file position, so threads do not interfere."""
        done = 0
        while done < len(buffer):
            count = os.preadv(self._descriptor, [buffer[done:].data], offset + done)
            if count == 0:
                raise DecodeError("the file ends before the data does")
            done += count


class LibraryMember:
    """Reads rows of a member through the HDF5 library, one thread at a time.

    Raises `DecodeError` for a member that the library would read past its end or without bounds.
    """

    def __init__(self, stored: h5py.Dataset) -> None:
        self._stored = stored
        if reason := unsafe_reason(stored):
            raise DecodeError(reason)

    def read(self, start: int, stop: int) -> Array:
        """Read rows `start` to `stop` - 1; raise what the library raises for a damaged file."""
        return np.asarray(self._stored[start:stop])

    def unwritten(self) -> str:
        """Describe the part of the member that was never written; empty if there is none."""
        from h5py import h5d

        stored = self._stored
        if stored.size and stored.id.get_space_status() == h5d.SPACE_STATUS_NOT_ALLOCATED:
            return "the whole of it"
        if not stored.chunks:
            return _unwritten_rows(stored)
        # An h5py that cannot list chunks does not know more.
        return _unwritten_chunks(ChunkIndex(stored)) if hasattr(stored.id, "chunk_iter") else ""


def _unwritten_rows(stored: h5py.Dataset) -> str:
    hole = hole_bytes(stored)
    rows = -(-hole * stored.shape[0] // max(1, stored.nbytes))
    return f"about {rows:,} of {stored.shape[0]:,} rows" if hole else ""


def _unwritten_chunks(index: ChunkIndex) -> str:
    return f"{index.missing:,} of {prod(index.grid):,} chunks" if index.missing else ""
