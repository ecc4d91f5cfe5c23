"""Read a virtual dataset from its sources, each like an ordinary member.

The HDF5 library returns fill values for a source that is gone, too short or without the dataset;
here that is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from baryon.data.hdf5.filters import DecodeError
from baryon.errors import BaryonError

if TYPE_CHECKING:
    import h5py

    from baryon.data.hdf5.links import LinkedFiles

    Array = np.ndarray[Any, Any]


class RowReader(Protocol):
    """Reads rows of a member."""

    def read(self, start: int, stop: int) -> Array:
        """Read rows `start` to `stop` - 1."""
        ...

    def unwritten(self) -> str:
        """Describe the part of the member that was never written; empty if there is none."""
        ...


@dataclass(frozen=True)
class Source:
    """A block of a source dataset, and the block of the virtual dataset that it fills."""

    rows: RowReader
    source: tuple[slice, ...]
    target: tuple[slice, ...]
    name: str
    chunk_rows: int

    @property
    def by_rows(self) -> bool:
        """Whether each row of the target is a row of the source.

        Otherwise the target is one row, and the whole source block is that row.
        """
        return _counts(self.source) == _counts(self.target)

    def fill(self, rows: Array, start: int, stop: int) -> None:
        """Copy the source's part of rows `start` to `stop` - 1 of the virtual dataset to `rows`."""
        first, step, count = self.target[0].start, self.target[0].step, _count(self.target[0])
        # Numbers of the first and last + 1 target rows of this source that lie in the interval.
        low = max(0, -(-(start - first) // step))
        high = min(count, -(-(stop - first) // step))
        if low >= high:
            return
        source_block = self.source[0]
        if self.by_rows:
            begin, end = (
                source_block.start + number * source_block.step for number in (low, high - 1)
            )
        else:
            begin, end = source_block.start, source_block.stop - 1
        columns = self.source[1:]
        values = self.rows.read(begin, end + 1)[(slice(None, None, source_block.step), *columns)]
        selected = slice(first + low * step - start, first + (high - 1) * step - start + 1, step)
        target = rows[(selected, *self.target[1:])]
        target[...] = values.reshape(target.shape)

    def starts(self) -> list[int]:
        """Return the rows of the virtual dataset at which a chunk of the source begins."""
        first, source_block = self.target[0].start, self.source[0]
        if not self.by_rows or source_block.step != 1 or self.target[0].step != 1:
            return [first]
        aligned = -(-source_block.start // self.chunk_rows) * self.chunk_rows
        inside = range(aligned, source_block.stop, self.chunk_rows)
        return [first, *(first + row - source_block.start for row in inside)]


class VirtualMember:
    """Reads rows of a virtual dataset, from as many threads at once as its sources allow."""

    def __init__(self, stored: h5py.Dataset, sources: list[Source]) -> None:
        self._shape, self._dtype = stored.shape, stored.dtype
        self._fill, self._sources = stored.fillvalue, sources

    def read(self, start: int, stop: int) -> Array:
        """Read rows `start` to `stop` - 1; what no source fills has the fill value."""
        rows = np.full((stop - start, *self._shape[1:]), self._fill, self._dtype)
        for source in self._sources:
            source.fill(rows, start, stop)
        return rows

    def unwritten(self) -> str:
        """Describe the part that no source fills, or that is unwritten in a source."""
        missing = prod(self._shape) - self._filled()
        if missing > 0:
            return f"{missing:,} of {prod(self._shape):,} numbers"
        parts = [(source.rows.unwritten(), source.name) for source in self._sources]
        return "; ".join(f"{part} in {name}" for part, name in parts if part)

    def _filled(self) -> int:
        """Count the numbers that a source fills, those once that several do."""
        from h5py import h5s

        space = h5s.create_simple(self._shape)
        space.select_none()
        for source in self._sources:
            start = tuple(axis.start for axis in source.target)
            stride = tuple(axis.step for axis in source.target)
            counts = _counts(source.target)
            if prod(counts):  # HDF5 takes no empty selection
                space.select_hyperslab(start, counts, stride, op=h5s.SELECT_OR)
        return int(space.get_select_npoints())

    def starts(self) -> list[int]:
        """Return the first rows of the sources' chunks, in ascending order."""
        starts = {start for source in self._sources for start in source.starts()}
        return sorted({0, *(start for start in starts if 0 < start < self._shape[0])})


def virtual_member(
    stored: h5py.Dataset,
    files: LinkedFiles,
    name: str,
    row_reader: Callable[[h5py.Dataset], RowReader],
) -> VirtualMember:
    """Find the sources of a virtual dataset; `row_reader` chooses how each is read.

    Raises `BaryonError` for a source that is gone, has shrunk or has another dtype, and
    `DecodeError` for mappings that are not blocks or are unlimited.
    """
    mappings = stored.virtual_sources()
    return VirtualMember(
        stored, [_source(mapping, stored, files, name, row_reader) for mapping in mappings]
    )


def _source(
    mapping: Any,
    stored: h5py.Dataset,
    files: LinkedFiles,
    name: str,
    row_reader: Callable[[h5py.Dataset], RowReader],
) -> Source:
    if "%b" in mapping.file_name + mapping.dset_name:  # HDF5's pattern of numbered files
        raise DecodeError("it maps an unlimited number of sources (file names with %b)")
    file = files.other(stored, mapping.file_name.replace("%%", "%"), name)
    source = files.find(mapping.dset_name, file)
    place = f"{mapping.dset_name!r} in {files.name_of(file)}"
    description = f"{files.path}: the source {place} of member {name!r}"
    _require_same_dtype(source, stored, description)
    source_block = _block(mapping.src_space, source.shape, description)
    target = _block(mapping.vspace, stored.shape, f"{files.path}: member {name!r}")
    counts, wanted = _counts(source_block), _counts(target)
    if counts != wanted and (wanted[0] != 1 or prod(counts) != prod(wanted)):
        raise BaryonError(
            f"{description} gives a block of {counts} for one of {wanted}: write it again"
        )
    chunk_rows = source.chunks[0] if source.chunks else max(1, source_block[0].stop)
    return Source(row_reader(source), source_block, target, description, chunk_rows)


def _require_same_dtype(source: Any, stored: h5py.Dataset, description: str) -> None:
    import h5py

    if not isinstance(source, h5py.Dataset) or not source.shape:
        raise BaryonError(
            f"{description} does not exist: fetch the file again, or write the member again"
        )
    if source.dtype != stored.dtype:
        raise BaryonError(
            f"{description} has dtype {source.dtype}, where {stored.dtype} was mapped"
        )


def _block(space: Any, shape: tuple[int, ...], description: str) -> tuple[slice, ...]:
    """Return the block that a dataspace selects; raise `BaryonError` if it exceeds `shape`."""
    from h5py import h5s

    if space.get_select_type() == h5s.SEL_ALL:
        return tuple(slice(0, size, 1) for size in shape)
    if space.get_select_type() != h5s.SEL_HYPERSLABS or not space.is_regular_hyperslab():
        raise DecodeError("it maps its sources by irregular selections")
    block = tuple(_slice(*axis) for axis in zip(*space.get_regular_hyperslab(), strict=True))
    if len(block) != len(shape) or any(p.stop > n for p, n in zip(block, shape, strict=True)):
        raise BaryonError(
            f"{description} has shape {shape}, which lacks what was mapped: fetch the file "
            "again, or write the member again"
        )
    return block


def _slice(start: int, stride: int, count: int, block: int) -> slice:
    """Return one axis of a regular hyperslab as a slice, where it is a range with a step."""
    if max(start, stride, count, block) >= 2**62:  # H5S_UNLIMITED is the largest integer
        raise DecodeError("it maps an unlimited part of its sources (unlimited selections)")
    if count == 1:
        return slice(start, start + block, 1)
    if block == 1:
        return slice(start, start + (count - 1) * stride + 1, stride)
    if stride == block:
        return slice(start, start + count * block, 1)
    raise DecodeError("it maps its sources by blocks with gaps")


def _count(part: slice) -> int:
    return len(range(part.start, part.stop, part.step))


def _counts(block: tuple[slice, ...]) -> tuple[int, ...]:
    return tuple(map(_count, block))
