"""Share memory between processes, in slots of one size.

The memory has no name, in /dev/shm or elsewhere: it is gone when the last process is, however that
ended, it needs no tracker process as `multiprocessing.shared_memory` does, and a small /dev/shm
(containers give 64 MiB) does not limit it. A slot that nobody wrote to takes no memory.
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

ALIGNMENT = 64
"""Bytes of a line of the processor's cache; arrays begin at multiples of it."""

Form: TypeAlias = tuple[str, str, tuple[int, ...]]
"""Name, dtype and shape of an array."""
_numbers = itertools.count()


def array_forms(fields: Mapping[str, Field], rows: int) -> list[Form]:
    """Return the forms of `rows` samples of these fields."""
    return [(name, field.dtype, (rows, *field.shape)) for name, field in fields.items()]


def total_bytes(forms: Sequence[Form]) -> int:
    """Return the bytes that arrays take one after the other."""
    return sum(_aligned_bytes(form) for form in forms)


def arrays_at(
    memory: mmap.mmap, offset: int, forms: Sequence[Form]
) -> dict[str, np.ndarray[Any, Any]]:
    """Return arrays that lie in memory one after the other, without copying them."""
    arrays = {}
    for form in forms:
        name, dtype, shape = form
        arrays[name] = np.ndarray(shape, dtype, memory, offset)
        offset += _aligned_bytes(form)
    return arrays


def _aligned_bytes(form: Form) -> int:
    _, dtype, shape = form
    length = int(np.dtype(dtype).itemsize * np.prod(shape, dtype=np.int64))
    return -(-length // ALIGNMENT) * ALIGNMENT


class SharedSlots:
    """Make shared memory in the run's process, and keep account of its free slots.

    Raises
    ------
    BaryonError
        If the system has no such memory, or not so much of it.

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
            self._mapped = mmap.mmap(self.descriptor, self.bytes)
        except (OSError, OverflowError) as error:
            raise BaryonError(
                f"data.processes cannot share {size(self.bytes)} of memory ({error}): give less "
                "data.window_mib, or data.processes=0"
            ) from error
        # All slots are as large as the largest chunk: with a free list of several sizes the bound
        # of memory could not be stated.
        self._free = [number * slot_bytes for number in reversed(range(slots))]

    def acquire(self) -> int:
        """Take a free slot and return its offset."""
        return self._free.pop()  # the one released last, whose pages are there already

    def release(self, offset: int) -> None:
        """Give back a slot that nobody reads any more."""
        self._free.append(offset)

    def arrays(self, offset: int, forms: Sequence[Form]) -> dict[str, np.ndarray[Any, Any]]:
        """Return the arrays in a slot, without copying them."""
        return arrays_at(self._mapped, offset, forms)

    def close(self) -> None:
        """Share it with no more processes.

        The memory is freed with the last array in it, in this process and in the others.
        """
        os.close(self.descriptor)
