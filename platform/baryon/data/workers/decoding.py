"""Decode as `baryon.data.decoding` does, but leave the work of each thread to a process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from baryon.data.decoding import AugmentationSeed, Decoding, PendingBatch
from baryon.data.sampling import Rows
from baryon.data.workers.shared_memory import SharedSlots, array_forms, total_bytes
from baryon.data.workers.worker_group import WorkerGroup
from baryon.interfaces import Arrays, Field, Split

KEYS = Field((), "int64")


def chunk_bytes(split: Split, bounds: Rows) -> int:
    """Return the bytes that a decoded chunk takes: each as many as the largest."""
    return total_bytes(array_forms(split.fields, int(np.diff(bounds).max())))


def batch_bytes(split: Split, rows: int) -> int:
    """Return the bytes that an augmented batch of `rows` samples takes."""
    return total_bytes(array_forms({**split.augmented_fields, "keys": KEYS}, rows))


class DecodingByProcesses(Decoding):
    """Let each process decode a chunk, or collate and augment a batch, at a time.

    Chunks and augmented batches lie in memory that all share. A batch that is not augmented is
    collated from it by a thread of this process, an augmented one is copied.
    """

    def __init__(
        self,
        workers: WorkerGroup,
        split: Split,
        bounds: Rows,
        batches: Sequence[Rows],
        *,
        budget: int,
        pinned: bool,
        augmented: bool,
        visits: Sequence[Rows] | None = None,
    ) -> None:
        """Plan the decoding and share memory with the workers; see `Decoding`.

        `augmented`: the batches are augmented, which takes a slot of memory for each worker.
        """
        threads = workers.count
        super().__init__(
            split, bounds, batches, budget=budget, threads=threads, pinned=pinned, visits=visits
        )
        self._workers = workers
        self._split_number = workers.register(split)
        self._slots: dict[int, int] = {}
        largest_batch = max(map(len, batches), default=0)
        self._chunks = self._share(chunk_bytes(split, bounds), self._chunk_slots(largest_batch))
        # A process augments one batch at a time.
        self._batches = self._share(
            batch_bytes(split, largest_batch), workers.count if augmented else 0
        )

    def _chunk_slots(self, largest_batch: int) -> int:
        """Return the number of chunks that may be held at once."""
        # The batches at hand take a chunk for each of their samples at worst.
        needed = (self._workers.count + 2) * largest_batch
        slot = chunk_bytes(self._split, self._bounds)
        return min(len(self._schedule.upcoming), self._budget // slot + needed)

    def _share(self, slot_bytes: int, slots: int) -> SharedSlots:
        memory = SharedSlots(slot_bytes, slots)
        try:
            self._workers.attach(memory)
        finally:
            memory.close()  # it is mapped; the descriptor is needed no longer
        return memory

    def _submit(self, visit: int) -> None:
        self._slots[visit] = self._chunks.acquire()
        super()._submit(visit)

    def _drop(self, visit: int) -> None:
        super()._drop(visit)
        self._chunks.release(self._slots.pop(visit))

    def _size(self, visit: int) -> int:
        return self._chunks.slot_bytes

    def _read(self, visit: int) -> Arrays:
        start, stop = self._rows_of(visit)
        slot = (self._chunks.number, self._slots[visit])
        self._workers.call_idle("read", self._split_number, start, stop, slot)
        return self._chunks.arrays(self._slots[visit], array_forms(self._fields, stop - start))

    def _augmented(self, pending: PendingBatch, seed: AugmentationSeed) -> dict[str, torch.Tensor]:
        for decoded in pending.chunks.values():
            decoded.result()  # raises what reading raised
        offset = self._batches.acquire()
        chunks = [
            (*self._rows_of(visit), (self._chunks.number, self._slots[visit]))
            for visit in pending.chunks
        ]
        slot = (self._batches.number, offset)
        forms = self._workers.call_idle(
            "augment", self._split_number, pending.rows, chunks, seed, slot
        )
        shared = self._batches.arrays(offset, forms)
        batch = {name: self._copied(array) for name, array in shared.items()}
        self._batches.release(offset)
        return batch

    def _copied(self, array: np.ndarray[Any, Any]) -> torch.Tensor:
        """Return a copy, in pinned memory if that is asked for."""
        shared = torch.from_numpy(array)
        return shared.pin_memory() if self._pinned else shared.clone()

    def close(self) -> None:
        """Drop what is not decoded yet; on return no process reads the split any more."""
        super().close()
        for memory in (self._chunks, self._batches):
            self._workers.detach(memory)
