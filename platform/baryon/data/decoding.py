"""Decode chunks ahead in threads, within a bound of memory, and make batches of them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from baryon.data.collate import WIDE, collate
from baryon.data.contract_check import (
    chunk_bounds,
    class_of,
    require_augmented,
    require_declared,
)
from baryon.data.sampling import Rows
from baryon.interfaces import Arrays, Batch, Field, Split

AugmentationSeed = Sequence[int]
"""Seed of the random numbers with which a batch is augmented."""


def sample_bytes(split: Split) -> int:
    """Return the bytes of one decoded sample."""
    return sum(_bytes(field) for field in split.fields.values())


def reads_in_parallel(split: Split) -> bool:
    """Return whether several threads may read a split at once."""
    return bool(split.parallel_reads)


def _bytes(field: Field) -> int:
    return np.dtype(field.dtype).itemsize * int(np.prod(field.shape))


@dataclass(frozen=True)
class PendingBatch:
    """A batch whose chunks are being decoded."""

    rows: Rows
    chunks: dict[int, Future[Arrays]]
    """Decoded chunks by the number of their visit.

    Where each chunk is decoded once, that is the chunk's own number.
    """
    finished: list[int]
    """Visits that no later batch needs."""


class Schedule:
    """Which chunk is decoded when, for a known sequence of batches: in the order of first use."""

    def __init__(
        self, bounds: Rows, batches: Sequence[Rows], visits: Sequence[Rows] | None
    ) -> None:
        none = np.empty(0, np.int64)
        rows = np.concatenate([none, *batches])
        chunk_of = np.searchsorted(bounds, rows, side="right") - 1
        self.visit_of: Rows = chunk_of if visits is None else np.concatenate([none, *visits])
        """(N,) visit of each sample of the sequence."""
        ids, first = np.unique(self.visit_of, return_index=True)
        from_end = np.unique(self.visit_of[::-1], return_index=True)[1]
        last = len(rows) - 1 - from_end
        by_first_use = np.argsort(first)
        self.upcoming = deque(
            zip(ids[by_first_use].tolist(), first[by_first_use].tolist(), strict=True)
        )
        """Visits to come, each with the position of its first sample in the sequence."""
        self.last_use: dict[int, int] = dict(zip(ids.tolist(), last.tolist(), strict=True))
        self.chunk_of_visit: dict[int, int] = dict(
            zip(ids.tolist(), chunk_of[first].tolist(), strict=True)
        )


class Decoding:
    """Serve a known sequence of batches; each chunk is decoded once, in the order of first use.

    Call `begin`, `fill` and `end` for each batch, or `gather`, which does all three.
    """

    def __init__(
        self,
        split: Split,
        bounds: Rows,
        batches: Sequence[Rows],
        *,
        budget: int,
        threads: int,
        pinned: bool,
        visits: Sequence[Rows] | None = None,
    ) -> None:
        """Plan the decoding; nothing is read before `begin`.

        Parameters
        ----------
        split
            The split to read.
        bounds
            (chunks + 1,) first row of every chunk, and the number of rows.
        batches
            Row numbers of every batch, in the order in which they will be asked for.
        budget
            Bytes of decoded chunks that may be held; more if the batch at hand needs them.
        threads
            Threads that decode: 1 unless `reads_in_parallel(split)`.
        pinned
            Whether batches lie in pinned memory, from where a GPU copies while it computes.
        visits
            For each row of each batch, the number of the visit that decodes its chunk. Without it
            every chunk is decoded once. An order by strata repeats samples: a chunk that was held
            until its last use would be held for the whole epoch.

        """
        self._split, self._bounds, self._pinned = split, bounds, pinned
        self._fields = dict(split.fields)
        self._budget = budget
        self._sample_bytes = sample_bytes(split)
        self._schedule = Schedule(bounds, batches, visits)
        self._held: dict[int, Future[Arrays]] = {}
        self._held_bytes = 0
        self._served = 0  # samples of the batches that were begun
        self._split_lock: AbstractContextManager[object] = (
            nullcontext() if reads_in_parallel(split) else threading.Lock()
        )
        self._pool = ThreadPoolExecutor(threads, "baryon-decode")

    def begin(self, rows: Rows) -> PendingBatch:
        """Have the chunks of the next batch decoded. Always called by the same thread."""
        end = self._served + len(rows)
        self._decode_ahead(end)
        visits = list(dict.fromkeys(self._schedule.visit_of[self._served : end].tolist()))
        self._served = end
        return PendingBatch(
            rows,
            {visit: self._held[visit] for visit in visits},
            [visit for visit in visits if self._schedule.last_use[visit] < end],
        )

    def fill(
        self, pending: PendingBatch, seed: AugmentationSeed | None = None
    ) -> dict[str, torch.Tensor]:
        """Return the batch: every field (N, ...) in the order of its rows, and `keys` (N,).

        It is augmented if a `seed` is given. Called by any thread.
        """
        if seed is None or not len(pending.rows):
            return self._collated(pending)
        return self._augmented(pending, seed)

    def _collated(self, pending: PendingBatch) -> dict[str, torch.Tensor]:
        rows = pending.rows
        uncopied = self._usable_without_copy(pending)
        batch = {
            name: self._empty(len(rows), field)
            for name, field in self._fields.items()
            if name not in uncopied
        }
        chunks = (
            (*self._rows_of(visit), decoded.result()) for visit, decoded in pending.chunks.items()
        )
        collate(rows, chunks, as_arrays(batch))
        keys = torch.from_numpy(rows)
        tensors = {**batch, **uncopied}
        ordered = {name: tensors[name] for name in self._fields}
        return {**ordered, "keys": keys.pin_memory() if self._pinned else keys}

    def _augmented(self, pending: PendingBatch, seed: AugmentationSeed) -> dict[str, torch.Tensor]:
        split: Any = self._split
        batch = as_arrays(self._collated(pending))
        with self._split_lock:
            augmented = split.augment(batch, np.random.default_rng(seed))
        require_augmented(class_of(split), augmented, split.augmented_fields, len(pending.rows))
        return as_tensors(augmented, pinned=self._pinned)

    def _usable_without_copy(self, pending: PendingBatch) -> dict[str, torch.Tensor]:
        """Return fields that need no copy: the batch is one chunk as decoded, not used again."""
        if self._pinned or len(pending.chunks) != 1 or len(pending.finished) != 1:
            return {}
        (visit,) = pending.chunks
        if not np.array_equal(pending.rows, np.arange(*self._rows_of(visit))):
            return {}
        decoded = pending.chunks[visit].result()
        return {
            name: torch.from_numpy(decoded[name])
            for name, field in self._fields.items()
            # Views, and narrow fields, which splits like to hold whole, may be the split's own
            # memory, and a batch may be changed.
            if decoded[name].flags.owndata
            and decoded[name].flags.writeable
            and decoded[name].dtype == field.dtype
            and decoded[name][:1].nbytes >= WIDE
        }

    def end(self, pending: PendingBatch) -> None:
        """Free the chunks that only this batch needed.

        Called after `fill`, in the order and by the thread of `begin`.
        """
        pending.chunks.clear()
        for visit in pending.finished:
            self._drop(visit)
        self._decode_ahead(self._served)

    def gather(self, rows: Rows) -> dict[str, torch.Tensor]:
        """Return the next batch: `begin`, `fill` and `end` in one call."""
        pending = self.begin(rows)
        batch = self.fill(pending)
        self.end(pending)
        return batch

    def _decode_ahead(self, end: int) -> None:
        """Submit chunks until the samples before `end` are covered and the budget is used up."""
        upcoming = self._schedule.upcoming
        while upcoming:
            visit, first_use = upcoming[0]
            if first_use >= end and self._held_bytes + self._size(visit) > self._budget:
                return
            upcoming.popleft()
            self._submit(visit)

    def _submit(self, visit: int) -> None:
        self._held[visit] = self._pool.submit(self._read, visit)
        self._held_bytes += self._size(visit)

    def _drop(self, visit: int) -> None:
        del self._held[visit]
        self._held_bytes -= self._size(visit)

    def _read(self, visit: int) -> Arrays:
        start, stop = self._rows_of(visit)
        with self._split_lock:
            arrays = self._split.read(start, stop)
        # Checked before it is collated, which would cut a row too many and cast another dtype.
        owner, call = class_of(self._split), f"read({start}, {stop})"
        require_declared(owner, call, arrays, self._fields, stop - start)
        return arrays

    def _rows_of(self, visit: int) -> tuple[int, int]:
        """Return the first row of the chunk of a visit, and one past its last row."""
        chunk = self._schedule.chunk_of_visit[visit]
        return int(self._bounds[chunk]), int(self._bounds[chunk + 1])

    def _size(self, visit: int) -> int:
        """Return the bytes that the decoded chunk of a visit takes."""
        start, stop = self._rows_of(visit)
        return (stop - start) * self._sample_bytes

    def _empty(self, count: int, field: Field) -> torch.Tensor:
        dtype = torch.from_numpy(np.empty(0, field.dtype)).dtype
        return torch.empty((count, *field.shape), dtype=dtype, pin_memory=self._pinned)

    def close(self) -> None:
        """Drop what is not decoded yet; on return no thread reads the split any more."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._held.clear()


def read_rows(split: Split, rows: Rows) -> dict[str, np.ndarray[Any, Any]]:
    """Read some rows of every field in the order given, and decode each chunk once.

    Returns
    -------
    dict of str to numpy.ndarray
        (N, ...) of each field, and `keys` (N,), the row numbers.

    """
    bounds = chunk_bounds(split)
    with closing(Decoding(split, bounds, [rows], budget=0, threads=1, pinned=False)) as decoding:
        return as_arrays(decoding.gather(rows))


def as_arrays(batch: Batch) -> dict[str, np.ndarray[Any, Any]]:
    """Return NumPy arrays that share the memory of a batch."""
    return {name: tensor.numpy() for name, tensor in batch.items()}


def as_tensors(arrays: Arrays, *, pinned: bool) -> dict[str, torch.Tensor]:
    """Return tensors that share the memory of arrays, or copies in pinned memory."""
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return {name: t.pin_memory() for name, t in tensors.items()} if pinned else tensors
