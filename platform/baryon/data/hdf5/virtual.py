"""A virtual dataset read from its sources, each as if it were read alone.

The HDF5 library would read blanks for a source that is gone, is too short or lacks the dataset.
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


class Rows(Protocol):
    """Reads rows of a member."""

    def read(self, start: int, stop: int) -> Array:
        """Rows start..stop-1."""
        ...

    def unwritten(self) -> str:
        """What part of the member nobody ever wrote, for people; empty if all is there."""
        ...


@dataclass(frozen=True)
class Source:
    """A block of a source dataset, and the block of the virtual dataset that it fills."""

    rows: Rows
    source: tuple[slice, ...]
    target: tuple[slice, ...]
    name: str
    chunk_rows: int

    @property
    def by_rows(self) -> bool:
        """Whether a row of the target is a row of the source; otherwise it is all of it."""
        return _counts(self.source) == _counts(self.target)

    def fill(self, rows: Array, start: int, stop: int) -> None:
        """Fill what lies in rows start..stop-1 of the virtual dataset."""
        first, step, count = self.target[0].start, self.target[0].step, _count(self.target[0])
        low = max(0, -(-(start - first) // step))
        high = min(count, -(-(stop - first) // step))
        if low >= high:
            return
        wanted = self.source[0]
        if self.by_rows:
            begin, end = (wanted.start + number * wanted.step for number in (low, high - 1))
        else:
            begin, end = wanted.start, wanted.stop - 1
        block = self.rows.read(begin, end + 1)[(slice(None, None, wanted.step), *self.source[1:])]
        at = slice(first + low * step - start, first + (high - 1) * step - start + 1, step)
        into = rows[(at, *self.target[1:])]
        into[...] = block.reshape(into.shape)

    def starts(self) -> list[int]:
        """Rows of the virtual dataset at which a chunk of the source begins."""
        first, wanted = self.target[0].start, self.source[0]
        if not self.by_rows or wanted.step != 1 or self.target[0].step != 1:
            return [first]
        aligned = -(-wanted.start // self.chunk_rows) * self.chunk_rows
        inside = range(aligned, wanted.stop, self.chunk_rows)
        return [first, *(first + row - wanted.start for row in inside)]


class VirtualMember:
    """Reads rows of a virtual dataset; from as many threads at once as its sources allow."""

    def __init__(self, stored: h5py.Dataset, sources: list[Source]) -> None:
        self._shape, self._dtype = stored.shape, stored.dtype
        self._fill, self._sources = stored.fillvalue, sources

    def read(self, start: int, stop: int) -> Array:
        """Rows start..stop-1; what no source fills has the fill value."""
        rows = np.full((stop - start, *self._shape[1:]), self._fill, self._dtype)
        for source in self._sources:
            source.fill(rows, start, stop)
        return rows

    def unwritten(self) -> str:
        """What part no source fills, or is unwritten in one."""
        filled = sum(prod(_counts(source.target)) for source in self._sources)
        missing = prod(self._shape) - filled
        if missing > 0:
            return f"{missing:,} of {prod(self._shape):,} numbers"
        parts = [(source.rows.unwritten(), source.name) for source in self._sources]
        return "; ".join(f"{part} in {name}" for part, name in parts if part)

    def starts(self) -> list[int]:
        """First rows of the sources' chunks."""
        found = {start for source in self._sources for start in source.starts()}
        return sorted({0, *(start for start in found if 0 < start < self._shape[0])})


def virtual_member(
    stored: h5py.Dataset, files: LinkedFiles, name: str, rows_of: Callable[[h5py.Dataset], Rows]
) -> VirtualMember:
    """Find the sources of a virtual dataset, whose rows `rows_of` reads.

    Raises `BaryonError` for a source that is gone, has shrunk or holds other numbers, and
    `DecodeError` for mappings that are no blocks or have no end.
    """
    sources = []
    for mapping in stored.virtual_sources():
        if "%b" in mapping.file_name + mapping.dset_name:
            raise DecodeError("it maps its sources without an end (file names with %b)")
        file = files.other(stored, mapping.file_name.replace("%%", "%"), name)
        source = files.find(mapping.dset_name, file)
        where = f"{mapping.dset_name!r} in {files.name_of(file)}"
        who = f"{files.path}: the source {where} of member {name!r}"
        _require_numbers(source, stored, who)
        wanted = _block(mapping.src_space, source.shape, who)
        target = _block(mapping.vspace, stored.shape, f"{files.path}: member {name!r}")
        counts, into = _counts(wanted), _counts(target)
        if counts != into and (into[0] != 1 or prod(counts) != prod(into)):
            raise BaryonError(f"{who} gives a block of {counts} for one of {into}: write it anew")
        chunk_rows = source.chunks[0] if source.chunks else max(1, wanted[0].stop)
        sources.append(Source(rows_of(source), wanted, target, who, chunk_rows))
    return VirtualMember(stored, sources)


def _require_numbers(source: Any, stored: h5py.Dataset, who: str) -> None:
    import h5py

    if not isinstance(source, h5py.Dataset) or not source.shape:
        raise BaryonError(f"{who} is not there: fetch the file again, or write the member anew")
    if source.dtype != stored.dtype:
        raise BaryonError(f"{who} has dtype {source.dtype}, where {stored.dtype} was mapped")


def _block(space: Any, shape: tuple[int, ...], who: str) -> tuple[slice, ...]:
    """The block that is selected of a dataset. Raises `BaryonError` if it does not have that."""
    from h5py import h5s

    if space.get_select_type() == h5s.SEL_ALL:
        return tuple(slice(0, size, 1) for size in shape)
    if space.get_select_type() != h5s.SEL_HYPERSLABS or not space.is_regular_hyperslab():
        raise DecodeError("it maps its sources by irregular selections")
    block = tuple(_slice(*axis) for axis in zip(*space.get_regular_hyperslab(), strict=True))
    if len(block) != len(shape) or any(p.stop > n for p, n in zip(block, shape, strict=True)):
        raise BaryonError(
            f"{who} has shape {shape}, which lacks what was mapped: fetch the file again, or "
            "write the member anew"
        )
    return block


def _slice(start: int, stride: int, count: int, block: int) -> slice:
    """One axis of a regular hyperslab, where it is a range with a step."""
    if max(start, stride, count, block) >= 2**62:
        raise DecodeError("it maps its sources without an end (unlimited selections)")
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
