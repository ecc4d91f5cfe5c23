"""Batches of one split, read ahead of time by a thread."""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from baryon.data.order import Rows, part_of, shuffled
from baryon.interfaces import Arrays, Batch, Share, Split

MIB = 2**20

Batches = Generator[Batch, None, None]
ALL = Share()


@dataclass(frozen=True)
class Loading:
    """How a split is read: see `conf/config.yaml`, section `data`."""

    batch_size: int
    """Samples a batch, over all workers together."""
    window_mib: float
    prefetch: int
    seed: int


class Loader:
    """The batches of a split, for any worker's share of them."""

    def __init__(self, split: Split, loading: Loading) -> None:
        self.split = split
        self.loading = loading
        self._chunk_starts = np.asarray(split.chunk_starts(), dtype=np.int64)
        self._window = self._chunks_in_window()

    def batches_per_epoch(self) -> int:
        """Steps of one epoch; the last batch may be smaller."""
        return -(-len(self.split) // self.loading.batch_size)

    def shuffled(self, epoch: int, first_batch: int = 0, share: Share = ALL) -> Batches:
        """One epoch's batches from number `first_batch` on, in the order of that epoch."""
        rows = shuffled(
            list(self._chunk_starts), len(self.split), self._window, self.loading.seed, epoch
        )
        batches = self._gathered(rows, first_batch, share)
        return self._ahead(self._augmented(batches, epoch, first_batch, share))

    def in_order(self, share: Share = ALL) -> Batches:
        """All batches in the order of the files; those that a share leaves empty are left out."""
        rows = np.arange(len(self.split), dtype=np.int64)
        return self._ahead(b for b in self._gathered(rows, 0, share) if len(b["keys"]))

    def _chunks_in_window(self) -> int:
        fields = self.split.fields.values()
        sample = sum(np.dtype(f.dtype).itemsize * int(np.prod(f.shape)) for f in fields)
        chunk = sample * len(self.split) / len(self._chunk_starts)
        return max(1, int(self.loading.window_mib * MIB / chunk))

    def _gathered(self, rows: Rows, first_batch: int, share: Share) -> Iterator[Arrays]:
        chunks = _Chunks(self.split, self._chunk_starts, self._window)
        size = self.loading.batch_size
        for start in range(first_batch * size, len(rows), size):
            batch = rows[start : start + size]
            yield chunks.gather(part_of(batch, share))

    def _augmented(
        self, batches: Iterator[Arrays], epoch: int, first_batch: int, share: Share
    ) -> Iterator[Arrays]:
        """Random changes that follow from seed, epoch, batch and share: a resume repeats them."""
        augment = getattr(self.split, "augment", None)
        for number, batch in enumerate(batches, first_batch):
            if augment is None or not len(batch["keys"]):
                yield batch
                continue
            key = [self.loading.seed, epoch, number, share.group * share.members + share.member]
            yield augment(batch, np.random.default_rng(key))

    def _ahead(self, batches: Iterator[Arrays]) -> Batches:
        with closing(_Ahead(batches, self.loading.prefetch)) as ahead:
            for batch in ahead:
                yield {name: torch.from_numpy(array) for name, array in batch.items()}


class _Chunks:
    """The last chunks that were read, decoded; as many as a window holds."""

    def __init__(self, split: Split, starts: Rows, capacity: int) -> None:
        self._split = split
        self._bounds = np.append(starts, len(split))
        self._capacity = capacity
        self._held: OrderedDict[int, Arrays] = OrderedDict()

    def gather(self, rows: Rows) -> dict[str, np.ndarray[Any, Any]]:
        """The rows of every field in the order given, and their numbers as `keys`."""
        fields = self._split.fields
        batch: dict[str, Any] = {
            name: np.empty((len(rows), *field.shape), field.dtype) for name, field in fields.items()
        }
        chunk_of = np.searchsorted(self._bounds, rows, side="right") - 1
        for chunk in dict.fromkeys(chunk_of.tolist()):
            here = np.flatnonzero(chunk_of == chunk)
            held = self._chunk(chunk)
            for name in fields:
                batch[name][here] = held[name][rows[here] - self._bounds[chunk]]
        batch["keys"] = rows
        return batch

    def _chunk(self, number: int) -> Arrays:
        if number not in self._held:
            while len(self._held) >= self._capacity:
                self._held.popitem(last=False)
            start, stop = self._bounds[number], self._bounds[number + 1]
            self._held[number] = self._split.read(int(start), int(stop))
        self._held.move_to_end(number)
        return self._held[number]


class _Ahead:
    """Runs an iterator in a thread, at most `depth` items ahead of who reads it."""

    _END = object()

    def __init__(self, items: Iterator[Arrays], depth: int) -> None:
        self._items = items
        self._queue: queue.Queue[Any] = queue.Queue(maxsize=depth)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._fill, name="baryon-input", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Arrays]:
        while (item := self._queue.get()) is not self._END:
            if isinstance(item, BaseException):
                raise item
            yield item

    def _fill(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    return
            self._put(self._END)
        except Exception as error:  # noqa: BLE001  raised again where the batches are read
            self._put(error)

    def _put(self, item: Any) -> bool:
        while not self._closed.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def close(self) -> None:
        """Stop reading ahead; returns when the thread has let go of the split."""
        self._closed.set()
        self._thread.join()
