"""A member of an HDF5 file read around the HDF5 library: raw bytes from the file, decoded here.

The library is asked once where the chunks lie. From then on any number of threads read and decode
at the same time, where HDF5 would let one after the other, holding Python's lock all the while.
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
from baryon.data.hdf5.storage_check import ChunkIndex, hole_bytes, problem, require_contiguous

if TYPE_CHECKING:
    import h5py

    Array = np.ndarray[Any, Any]

NUMBERS = "biufc"


def direct_read_blocker(stored: h5py.Dataset) -> str:
    """Why only the HDF5 library itself can read a member; empty where there is no reason."""
    import h5py

    kind, file = stored.dtype, stored.file
    if kind.kind not in NUMBERS or stored.id.get_type() != h5py.h5t.py_create(kind, logical=True):
        return f"its type {kind} is not stored as plain numbers"
    if file.driver != "sec2" or file.userblock_size:
        return "its file is no plain HDF5 file"
    if stored.is_virtual:
        return ""
    if stored.chunks is None:
        return "" if stored.id.get_offset() is not None else "it is stored in the file's header"
    if not hasattr(stored.id, "chunk_iter"):
        return "this h5py cannot list chunks"
    undo = filters.undoing(stored)
    unknown = [n for n, step in zip(filters.names(stored), undo, strict=True) if step is None]
    if unknown:
        return f"its filter {unknown[0]} is decoded by the HDF5 library alone"
    compressions = [step for step in undo if step in (filters.inflate, filters.expand_lzf)]
    return "it is compressed twice" if len(compressions) > 1 else ""


class DirectReader:
    """Reads rows of a member that has no `obstacle`; from any number of threads at once."""

    def __init__(self, stored: h5py.Dataset) -> None:
        self._stored = stored
        self._descriptor: int = stored.file.id.get_vfd_handle()
        self._dtype: np.dtype[Any] = stored.dtype
        self._shape: tuple[int, ...] = stored.shape
        self._chunk: tuple[int, ...] | None = stored.chunks
        self._undo = filters.undoing(stored)
        self._offset: int = stored.id.get_offset() if stored.chunks is None else 0
        self._index: ChunkIndex | None = None
        self._lock = threading.Lock()

    def read(self, start: int, stop: int) -> Array:
        """Rows start..stop-1. Raises `DecodeError` or `OSError` for a damaged file."""
        if self._chunk is None:
            rows = np.empty((stop - start, *self._shape[1:]), self._dtype)
            row = self._dtype.itemsize * prod(self._shape[1:])
            self._fill(rows.reshape(-1).view(np.uint8), self._offset + start * row)
            return rows
        first, last = start // self._chunk[0], (stop - 1) // self._chunk[0]
        if first == last and self._chunk[1:] == self._shape[1:]:
            begin = first * self._chunk[0]
            return self._decoded((first, *[0] * (len(self._shape) - 1)))[
                start - begin : stop - begin
            ]
        return self._pieced_together(range(first, last + 1), start, stop)

    def unwritten(self) -> str:
        """What part of the member nobody ever wrote, for people; empty if all is there.

        Raises `DecodeError` if the file cannot hold what the member says of itself.
        """
        if self._chunk is None:
            require_contiguous(self._stored)
            hole = hole_bytes(self._stored)
            rows = -(-hole * self._shape[0] // max(1, self._stored.nbytes))
            return f"about {rows:,} of {self._shape[0]:,} rows" if hole else ""
        index = self._where()
        return f"{index.missing:,} of {prod(index.grid):,} chunks" if index.missing else ""

    def _pieced_together(self, numbers: range, start: int, stop: int) -> Array:
        """Rows from several chunks, or from chunks that hold parts of samples."""
        assert self._chunk is not None
        rows = np.empty((stop - start, *self._shape[1:]), self._dtype)
        beside = [range(-(-size // c)) for size, c in zip(self._shape, self._chunk, strict=True)][
            1:
        ]
        for cell in itertools.product(numbers, *beside):
            begin = [number * size for number, size in zip(cell, self._chunk, strict=True)]
            low = [max(begin[0], start), *begin[1:]]
            high = [
                min(b + size, end)
                for b, size, end in zip(begin, self._chunk, (stop, *self._shape[1:]), strict=True)
            ]
            there = tuple(slice(a - b, z - b) for a, z, b in zip(low, high, begin, strict=True))
            here = (slice(low[0] - start, high[0] - start), *map(slice, low[1:], high[1:]))
            rows[here] = self._decoded(cell)[there]
        return rows

    def _decoded(self, cell: tuple[int, ...]) -> Array:
        """One chunk, whole."""
        assert self._chunk is not None
        place = self._where().place(cell)
        if place is None:
            return np.full(self._chunk, self._stored.fillvalue, self._dtype)
        offset, size, skipped = place
        raw = np.empty(size, np.uint8)
        self._fill(raw, offset)
        expected = self._dtype.itemsize * prod(self._chunk)
        decoded = filters.decode(raw, expected, self._undo, skipped)
        return decoded.view(self._dtype).reshape(self._chunk)

    def _where(self) -> ChunkIndex:
        with self._lock:
            if self._index is None:
                self._index = ChunkIndex(self._stored)
            return self._index

    def _fill(self, buffer: Bytes, offset: int) -> None:
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
        if reason := problem(stored):
            raise DecodeError(reason)

    def read(self, start: int, stop: int) -> Array:
        """Rows start..stop-1. Raises what the library raises for a damaged file."""
        return np.asarray(self._stored[start:stop])

    def unwritten(self) -> str:
        """What part of the member nobody ever wrote; empty if all is there, or nobody knows."""
        from h5py import h5d

        never = self._stored.id.get_space_status() == h5d.SPACE_STATUS_NOT_ALLOCATED
        return "the whole of it" if never and self._stored.size else ""
