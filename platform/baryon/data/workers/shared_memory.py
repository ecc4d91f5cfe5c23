"""Memory that several processes have at once, in slots of one size.

It has no name, in /dev/shm or elsewhere: it is gone when the last process is, however that ended,
and a small /dev/shm does not limit it. A slot that nobody wrote to takes no memory.
"""

from __future__ import annotations

import itertools
import mmap
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from baryon.errors import BaryonError
from baryon.interfaces import Field
from baryon.terminal.units import size

ALIGNED = 64
"""Bytes, a line of the processor's cache: at multiples of it arrays begin."""

Form: TypeAlias = tuple[str, str, tuple[int, ...]]
"""Of one array: name, dtype, shape."""
_numbers = itertools.count()


def forms(fields: Mapping[str, Field], rows: int) -> list[Form]:
    """Of so many samples."""
    return [(name, field.dtype, (rows, *field.shape)) for name, field in fields.items()]


def extent(its: Sequence[Form]) -> int:
    """Bytes that arrays take one after the other."""
    return sum(_aligned(form) for form in its)


def arrays(memory: mmap.mmap, offset: int, its: Sequence[Form]) -> dict[str, np.ndarray[Any, Any]]:
    """Arrays that lie in memory one after the other."""
    found = {}
    for form in its:
        name, dtype, shape = form
        found[name] = np.ndarray(shape, dtype, memory, offset)
        offset += _aligned(form)
    return found


def _aligned(form: Form) -> int:
    _, dtype, shape = form
    length = int(np.dtype(dtype).itemsize * np.prod(shape, dtype=np.int64))
    return -(-length // ALIGNED) * ALIGNED


class Memory:
    """The run's side: makes it, and knows which slots are free.

    Raises `BaryonError` where the system has no such memory, or not so much of it.
    """

    def __init__(self, slot_bytes: int, slots: int) -> None:
        self.number = next(_numbers)
        self.slot_bytes = slot_bytes
        self.bytes = max(1, slot_bytes) * max(1, slots)
        if not hasattr(os, "memfd_create"):
            raise BaryonError(
                "data.processes needs Linux (memfd_create): leave it 0, threads read everywhere"
            )
        try:
            self.descriptor = os.memfd_create("baryon-input")
            os.ftruncate(self.descriptor, self.bytes)
            self.mapped = mmap.mmap(self.descriptor, self.bytes)
        except (OSError, OverflowError) as error:
            raise BaryonError(
                f"{size(self.bytes)} to share with data.processes cannot be had ({error}): give "
                "less data.window_mib, or data.processes=0"
            ) from error
        self._free = [number * slot_bytes for number in reversed(range(slots))]

    def take(self) -> int:
        """Where a slot begins; the one given back last, whose pages are there already."""
        return self._free.pop()

    def give(self, offset: int) -> None:
        """A slot that nobody reads any more."""
        self._free.append(offset)

    def arrays(self, offset: int, its: Sequence[Form]) -> dict[str, np.ndarray[Any, Any]]:
        """What lies in a slot."""
        return arrays(self.mapped, offset, its)

    def close(self) -> None:
        """Hand it to no more processes. It goes with the last array in it, here and there."""
        os.close(self.descriptor)
