"""Batches of one split: shuffled for training, in order for evaluation; read ahead by threads.

Chunks are decoded by `Loading.threads` threads, batches are copied together and augmented by as
many. All of it holds at most `Loader.most_bytes` of samples.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch

from baryon.data.ahead import Ahead
from baryon.data.decoding import (
    Claim,
    Decoding,
    as_arrays,
    as_tensors,
    reads_in_parallel,
    sample_bytes,
)
from baryon.data.device_copy import on_device
from baryon.data.mixing import Mixing, mixing
from baryon.data.order import Order, Rows, part_of, shuffled
from baryon.interfaces import Arrays, Batch, Share, Split
from baryon.reporting.units import size

MIB = 2**20

Augment = Callable[[Arrays, np.random.Generator], Arrays]
Change = Callable[[int, Batch], Batch]
"""Of a batch with its number among those that are read."""
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
    threads: int
    """That decode chunks, where the split allows several."""
    device: torch.device
    """Where shuffled batches go."""


class Loader:
    """The batches of a split, for any worker's share of them."""

    def __init__(self, split: Split, loading: Loading) -> None:
        self.split = split
        self.loading = loading
        self.bounds: Rows = np.append(np.asarray(split.chunk_starts(), np.int64), len(split))
        self.sample_bytes = sample_bytes(split)
        self.window = self._chunks_in_window()
        self.threads = loading.threads if reads_in_parallel(split) else 1
        self._augment: Augment | None = getattr(split, "augment", None)
        self._pinned = loading.device.type == "cuda"

    def batches_per_epoch(self) -> int:
        """Steps of one epoch; the last batch may be smaller."""
        return -(-len(self.split) // self.loading.batch_size)

    def order(self, epoch: int) -> Order:
        """The order of an epoch, the same on all workers."""
        starts = self.bounds[:-1].tolist()
        return shuffled(starts, len(self.split), self.window, self.loading.seed, epoch)

    def shuffled(self, epoch: int, first_batch: int = 0, share: Share = ALL) -> Batches:
        """One epoch's batches from number `first_batch` on, on the device of the training."""
        order, size = self.order(epoch), self.loading.batch_size
        numbers = range(first_batch, self.batches_per_epoch())
        parts = [order.part(number, size, share) for number in numbers]
        batches = self._ahead(parts, (epoch, first_batch, share))
        return on_device(batches, self.loading.device) if self._pinned else batches

    def in_order(self, share: Share = ALL) -> Batches:
        """All batches in the order of the files; each of several workers reads a run of rows."""
        rows = part_of(np.arange(len(self.split), dtype=np.int64), share)
        size = self.part_size(share)
        return self._ahead([rows[start : start + size] for start in range(0, len(rows), size)])

    def each(self, parts: Sequence[Rows]) -> Batches:
        """A batch of each of these, in their order."""
        return self._ahead(parts)

    def part_size(self, share: Share = ALL) -> int:
        """Samples of a batch that are one worker's."""
        return -(-self.loading.batch_size // (share.groups * share.members))

    def mixing(self, groups: int = 1) -> Mixing:
        """How random the shuffled order is, of the batches that one group learns from.

        Of several groups each takes its part of a batch, and so its part of a window's chunks.
        """
        window, batch = max(1, self.window // groups), -(-self.loading.batch_size // groups)
        return mixing(np.diff(self.bounds).tolist(), window, batch)

    def most_bytes(self, share: Share = ALL) -> int:
        """Bytes of samples held at most.

        2 windows, prefetch + 4 batches, 2 chunks and 2 batches a thread; where samples are
        augmented another batch a thread.
        """
        batch = self.part_size(share)
        a_thread = 3 if self._augment else 2
        count = self.loading.prefetch + 4 + a_thread * self.threads
        batches = count * min(batch, len(self.split))
        chunk = int(np.diff(self.bounds).max())
        rest = batches + 2 * self.threads * chunk
        return self._two_windows() + rest * self.sample_bytes

    def describe(self, share: Share = ALL) -> str:
        """How the shuffled batches are read, in one line."""
        most = size(self.most_bytes(share))
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        mixed = self.mixing(share.groups)
        return f"{mixed}; at most {most} held, {threads} decoding"

    def _chunks_in_window(self) -> int:
        chunk = self.sample_bytes * len(self.split) / (len(self.bounds) - 1)
        return max(1, int(self.loading.window_mib * MIB / chunk))

    def _two_windows(self) -> int:
        """Bytes of the largest window there can be, and of the one that is decoded ahead."""
        sizes = np.sort(np.diff(self.bounds))[::-1]
        return int(sizes[: 2 * self.window].sum()) * self.sample_bytes

    def _ahead(
        self, parts: Sequence[Rows], augmented: tuple[int, int, Share] | None = None
    ) -> Batches:
        decoding = Decoding(
            self.split,
            self.bounds,
            parts,
            room=self._two_windows(),
            threads=self.threads,
            pinned=self._pinned,
        )
        change = self._change(*augmented) if augmented and self._augment else None
        with closing(decoding):
            batches = self._gathered(decoding, parts, change)
            with closing(Ahead(batches, self.loading.prefetch)) as ahead:
                yield from ahead

    def _gathered(
        self, decoding: Decoding, parts: Sequence[Rows], change: Change | None
    ) -> Iterator[Batch]:
        """The batches in their order; several are copied together at the same time."""

        def make(number: int, claim: Claim) -> Batch:
            batch = decoding.fill(claim)
            if change is None or not len(claim.rows):
                return batch
            with decoding.guard:
                return change(number, batch)

        def finished(claim: Claim, batch: Future[Batch]) -> Batch:
            made = batch.result()
            decoding.end(claim)
            return made

        waiting: deque[tuple[Claim, Future[Batch]]] = deque()
        with ThreadPoolExecutor(self.threads, "baryon-batch") as pool:
            for number, rows in enumerate(parts):
                claim = decoding.begin(rows)
                waiting.append((claim, pool.submit(make, number, claim)))
                if len(waiting) > self.threads:
                    yield finished(*waiting.popleft())
            while waiting:
                yield finished(*waiting.popleft())

    def _change(self, epoch: int, first_batch: int, share: Share) -> Change:
        """Random changes that follow from seed, epoch, batch and share: a resume repeats them."""
        augment, worker = self._augment, share.group * share.members + share.member
        assert augment is not None

        def change(number: int, batch: Batch) -> Batch:
            key = [self.loading.seed, epoch, first_batch + number, worker]
            changed = augment(as_arrays(batch), np.random.default_rng(key))
            return as_tensors(changed, pinned=self._pinned)

        return change
