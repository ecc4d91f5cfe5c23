"""Chunks decoded ahead by threads, within a bound of memory, and batches gathered from them."""

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

Key = Sequence[int]
"""What the random numbers of a batch's augmentation follow from."""


def sample_bytes(split: Split) -> int:
    """Bytes of one decoded sample."""
    return sum(_bytes(field) for field in split.fields.values())


def reads_in_parallel(split: Split) -> bool:
    """Whether a split lets several threads read at once."""
    return bool(split.parallel_reads)


def _bytes(field: Field) -> int:
    return np.dtype(field.dtype).itemsize * int(np.prod(field.shape))


@dataclass(frozen=True)
class PendingBatch:
    """A batch whose chunks are being decoded."""

    rows: Rows
    chunks: dict[int, Future[Arrays]]
    """By the number of their visit, which is the chunk's own where each is decoded once."""
    finished: list[int]
    """Chunks that no later batch needs."""


class Decoding:
    """Serves a known sequence of batches; each chunk is decoded once, in the order of first use.

    At most `room` bytes of decoded chunks are held, or as much as the batch at hand needs. There
    is one thread unless the split `reads_in_parallel`. The batches lie in pinned memory if
    `pinned`, from where a GPU copies while it computes.
    """

    def __init__(
        self,
        split: Split,
        bounds: Rows,
        batches: Sequence[Rows],
        *,
        room: int,
        threads: int,
        pinned: bool,
        visits: Sequence[Rows] | None = None,
    ) -> None:
        """`visits` number, for each row of each batch, the time when its chunk is decoded for it.

        Without them every chunk is decoded once. Order by strata repeats samples: a chunk that
        was kept until its last use would be held for the whole epoch.
        """
        self._split, self._bounds, self._pinned = split, bounds, pinned
        self._fields = dict(split.fields)
        self._room = room
        self._sample_bytes = sample_bytes(split)
        none = np.empty(0, np.int64)
        chunk_of = self._chunk_of(np.concatenate([none, *batches]))
        self._visit_of = chunk_of if visits is None else np.concatenate([none, *visits])
        ids, first = np.unique(self._visit_of, return_index=True)
        from_end = np.unique(self._visit_of[::-1], return_index=True)[1]
        by_use = np.argsort(first)
        self._chunk_visited = dict(zip(ids.tolist(), chunk_of[first].tolist(), strict=True))
        self._coming = deque(zip(ids[by_use].tolist(), first[by_use].tolist(), strict=True))
        self._last_use = dict(
            zip(ids.tolist(), (len(chunk_of) - 1 - from_end).tolist(), strict=True)
        )
        self._held: dict[int, Future[Arrays]] = {}
        self._held_bytes = 0
        self._asked = 0
        self._guard: AbstractContextManager[object] = (
            nullcontext() if reads_in_parallel(split) else threading.Lock()
        )
        """Held by whoever calls the split."""
        self._pool = ThreadPoolExecutor(threads, "baryon-decode")

    def begin(self, rows: Rows) -> PendingBatch:
        """The next batch in the sequence: have its chunks decoded. Called by one thread alone."""
        end = self._asked + len(rows)
        self._decode_ahead(end)
        chunks = list(dict.fromkeys(self._visit_of[self._asked : end].tolist()))
        self._asked = end
        return PendingBatch(
            rows,
            {chunk: self._held[chunk] for chunk in chunks},
            [chunk for chunk in chunks if self._last_use[chunk] < end],
        )

    def fill(self, claim: PendingBatch, key: Key | None = None) -> dict[str, torch.Tensor]:
        """The batch: its rows of every field in the order given, their numbers as `keys`.

        Augmented if there is a `key`. Called by any thread.
        """
        if key is None or not len(claim.rows):
            return self._gathered(claim)
        return self._augmented(claim, key)

    def _gathered(self, claim: PendingBatch) -> dict[str, torch.Tensor]:
        rows = claim.rows
        kept = self._handed_over(claim)
        batch = {
            name: self._empty(len(rows), field)
            for name, field in self._fields.items()
            if name not in kept
        }
        chunks = ((*self._rows_of(chunk), its.result()) for chunk, its in claim.chunks.items())
        collate(rows, chunks, as_arrays(batch))
        keys = torch.from_numpy(rows)
        tensors = {**batch, **kept}
        ordered = {name: tensors[name] for name in self._fields}
        return {**ordered, "keys": keys.pin_memory() if self._pinned else keys}

    def _augmented(self, claim: PendingBatch, key: Key) -> dict[str, torch.Tensor]:
        split: Any = self._split
        batch = as_arrays(self._gathered(claim))
        with self._guard:
            changed = split.augment(batch, np.random.default_rng(key))
        require_augmented(class_of(split), changed, split.augmented_fields, len(claim.rows))
        return as_tensors(changed, pinned=self._pinned)

    def _handed_over(self, claim: PendingBatch) -> dict[str, torch.Tensor]:
        """Fields that need no copy: the batch is one chunk as it was decoded, and its last use.

        Of narrow fields, and of arrays that are parts of others, a copy is made all the same: they
        may be the split's own memory.
        """
        if self._pinned or len(claim.chunks) != 1 or len(claim.finished) != 1:
            return {}
        (chunk,) = claim.chunks
        if not np.array_equal(claim.rows, np.arange(*self._rows_of(chunk))):
            return {}
        held = claim.chunks[chunk].result()
        return {
            name: torch.from_numpy(held[name])
            for name, field in self._fields.items()
            if held[name].flags.owndata
            and held[name].flags.writeable
            and held[name].dtype == field.dtype
            and held[name][:1].nbytes >= WIDE
        }

    def end(self, claim: PendingBatch) -> None:
        """The batch is filled: its last chunks make room. In the order of `begin`, same thread."""
        claim.chunks.clear()
        for chunk in claim.finished:
            self._drop(chunk)
        self._decode_ahead(self._asked)

    def gather(self, rows: Rows) -> dict[str, torch.Tensor]:
        """All three: the next batch."""
        claim = self.begin(rows)
        batch = self.fill(claim)
        self.end(claim)
        return batch

    def _chunk_of(self, rows: Rows) -> Rows:
        return np.searchsorted(self._bounds, rows, side="right") - 1

    def _decode_ahead(self, end: int) -> None:
        while self._coming:
            chunk, first_use = self._coming[0]
            if first_use >= end and self._held_bytes + self._size(chunk) > self._room:
                return
            self._coming.popleft()
            self._begin(chunk)

    def _begin(self, chunk: int) -> None:
        """Have a chunk decoded, and hold it."""
        self._held[chunk] = self._pool.submit(self._read, chunk)
        self._held_bytes += self._size(chunk)

    def _drop(self, chunk: int) -> None:
        """Hold it no longer."""
        del self._held[chunk]
        self._held_bytes -= self._size(chunk)

    def _read(self, chunk: int) -> Arrays:
        start, stop = self._rows_of(chunk)
        with self._guard:
            arrays = self._split.read(start, stop)
        # Here, for a batch would take the rows it wants and cast what it gets.
        owner, call = class_of(self._split), f"read({start}, {stop})"
        require_declared(owner, call, arrays, self._fields, stop - start)
        return arrays

    def _rows_of(self, visit: int) -> tuple[int, int]:
        """The first row of the chunk of a visit, and the one after its last."""
        chunk = self._chunk_visited[visit]
        return int(self._bounds[chunk]), int(self._bounds[chunk + 1])

    def _size(self, chunk: int) -> int:
        start, stop = self._rows_of(chunk)
        return (stop - start) * self._sample_bytes

    def _empty(self, count: int, field: Field) -> torch.Tensor:
        kind = torch.from_numpy(np.empty(0, field.dtype)).dtype
        return torch.empty((count, *field.shape), dtype=kind, pin_memory=self._pinned)

    def close(self) -> None:
        """Drop what is not decoded yet; returns when no thread reads the split any more."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._held.clear()


def read_rows(split: Split, rows: Rows) -> dict[str, np.ndarray[Any, Any]]:
    """Some rows of every field in the order given, each chunk decoded once."""
    bounds = chunk_bounds(split)
    with closing(Decoding(split, bounds, [rows], room=0, threads=1, pinned=False)) as decoding:
        return as_arrays(decoding.gather(rows))


def as_arrays(batch: Batch) -> dict[str, np.ndarray[Any, Any]]:
    """The same memory as NumPy arrays."""
    return {name: tensor.numpy() for name, tensor in batch.items()}


def as_tensors(arrays: Arrays, *, pinned: bool) -> dict[str, torch.Tensor]:
    """The same memory as tensors; copied into pinned memory if that is asked for."""
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return {name: t.pin_memory() for name, t in tensors.items()} if pinned else tensors
