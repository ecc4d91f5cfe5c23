"""Decoding as threads do it, but for the work itself: each thread has a process do that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from baryon.data.decoding import Decoding, Key, PendingBatch
from baryon.data.sampling import Rows
from baryon.data.workers.shared_memory import Memory, extent, forms
from baryon.data.workers.worker_group import WorkerGroup
from baryon.interfaces import Arrays, Field, Split

KEYS = Field((), "int64")


def chunk_bytes(split: Split, bounds: Rows) -> int:
    """Bytes that a decoded chunk takes: each as many as the largest."""
    return extent(forms(split.fields, int(np.diff(bounds).max())))


def batch_bytes(split: Split, rows: int) -> int:
    """Bytes that an augmented batch takes."""
    return extent(forms({**split.augmented_fields, "keys": KEYS}, rows))


class DecodingByProcesses(Decoding):
    """Each process decodes a chunk, or gathers and augments a batch, at a time.

    Chunks and augmented batches lie in memory that all share. A batch that is not augmented is
    gathered from it here, an augmented one is copied.
    """

    def __init__(
        self,
        readers: WorkerGroup,
        split: Split,
        bounds: Rows,
        batches: Sequence[Rows],
        *,
        room: int,
        pinned: bool,
        augmented: bool,
        visits: Sequence[Rows] | None = None,
    ) -> None:
        threads = readers.count
        super().__init__(
            split, bounds, batches, room=room, threads=threads, pinned=pinned, visits=visits
        )
        self._readers = readers
        self._number = readers.know(split)
        self._slots: dict[int, int] = {}
        largest, slot = max(map(len, batches), default=0), chunk_bytes(split, bounds)
        at_hand = (readers.count + 2) * largest  # a chunk for each sample, at worst
        self._chunks = Memory(slot, min(len(self._coming), room // slot + at_hand))
        self._batches = Memory(batch_bytes(split, largest), readers.count if augmented else 0)
        for memory in (self._chunks, self._batches):
            try:
                readers.attach(memory)
            finally:
                memory.close()

    def _begin(self, chunk: int) -> None:
        self._slots[chunk] = self._chunks.take()
        super()._begin(chunk)

    def _drop(self, chunk: int) -> None:
        super()._drop(chunk)
        self._chunks.give(self._slots.pop(chunk))

    def _size(self, chunk: int) -> int:
        return self._chunks.slot_bytes

    def _read(self, chunk: int) -> Arrays:
        start, stop = self._rows_of(chunk)
        slot = (self._chunks.number, self._slots[chunk])
        self._readers.ask("read", self._number, start, stop, slot)
        return self._chunks.arrays(self._slots[chunk], forms(self._fields, stop - start))

    def _augmented(self, claim: PendingBatch, key: Key) -> dict[str, torch.Tensor]:
        for decoded in claim.chunks.values():
            decoded.result()
        number, offset = self._batches.number, self._batches.take()
        chunks = [
            (*self._rows_of(chunk), (self._chunks.number, self._slots[chunk]))
            for chunk in claim.chunks
        ]
        its = self._readers.ask(
            "augment",
            self._number,
            claim.rows,
            chunks,
            key,
            (number, offset),
        )
        found = self._batches.arrays(offset, its)
        batch = {name: self._own(array) for name, array in found.items()}
        self._batches.give(offset)
        return batch

    def _own(self, array: np.ndarray[Any, Any]) -> torch.Tensor:
        """A copy, in pinned memory if that is asked for."""
        shared = torch.from_numpy(array)
        return shared.pin_memory() if self._pinned else shared.clone()

    def close(self) -> None:
        """Returns when no process reads the split any more."""
        super().close()
        for memory in (self._chunks, self._batches):
            self._readers.detach(memory)
