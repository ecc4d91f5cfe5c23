"""Batches of one split: shuffled for training, in order for evaluation; read ahead.

Chunks are decoded by `Loading.threads` threads, batches are copied together and augmented by as
many; or each thread has a process do it (`Loading.readers`). All of it holds at most
`Loader.most_bytes` of samples.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from baryon.data.contract_check import chunk_bounds, provides
from baryon.data.decoding import Decoding, Key, PendingBatch, reads_in_parallel, sample_bytes
from baryon.data.device_copy import on_device
from baryon.data.prefetch import Prefetcher
from baryon.data.sampling import (
    EpochOrder,
    Rows,
    batch_bounds,
    batches_per_epoch,
    part_of,
    shuffled,
)
from baryon.data.shuffle_quality import ShuffleQuality, shuffle_quality
from baryon.data.strata import Stratification
from baryon.data.workers.decoding import DecodingByProcesses, batch_bytes, chunk_bytes
from baryon.data.workers.worker_group import WorkerGroup
from baryon.interfaces import Batch, DataShard, Split
from baryon.terminal.units import size

MIB = 2**20

KeyOf = Callable[[int], Key]
"""Of a batch by its number among those that are read."""
Batches = Generator[Batch, None, None]
ALL = DataShard()


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
    readers: WorkerGroup | None = None
    """Processes that do it all in place of the threads."""
    stratify: Mapping[int, int] | None = None
    """Samples of a stratum, by its number, in every shuffled batch."""


class Loader:
    """The batches of a split, for any worker's share of them."""

    def __init__(self, split: Split, loading: Loading) -> None:
        self.split = split
        self.loading = loading
        self.bounds: Rows = chunk_bounds(split)
        self.sample_bytes = sample_bytes(split)
        self.window = self._chunks_in_window()
        self.threads = loading.threads if reads_in_parallel(split) else 1
        if loading.readers:
            self.threads = loading.readers.count
        self._augmented = provides(split, "augment")
        self._pinned = loading.device.type == "cuda"

    @cached_property
    def stratification(self) -> Stratification | None:
        """How shuffled batches are made of strata; None where `data.stratify` names none.

        Raises `BaryonError` where the split has no such strata.
        """
        stratify = self.loading.stratify
        if not stratify:
            return None
        return Stratification.of(self.split, stratify, self.loading.batch_size)

    def batches_per_epoch(self) -> int:
        """Steps of one epoch; the sizes of their batches differ by one sample at most."""
        if self.stratification:
            return self.stratification.batches_per_epoch()
        return batches_per_epoch(len(self.split), self.loading.batch_size)

    def samples_of_batch(self, number: int) -> int:
        """Return the samples of all workers' batch `number` of an epoch."""
        if self.stratification:
            return self.stratification.samples_of_batch(number)
        start, stop = batch_bounds(number, len(self.split), self.loading.batch_size)
        return stop - start

    def order(self, epoch: int) -> EpochOrder:
        """The order of an epoch, the same on all workers."""
        seed = self.loading.seed
        if self.stratification:
            return self.stratification.order(self.bounds, self.window, seed, epoch)
        starts = self.bounds[:-1].tolist()
        return shuffled(starts, len(self.split), self.window, seed, epoch)

    def shuffled(self, epoch: int, first_batch: int = 0, shard: DataShard = ALL) -> Batches:
        """One epoch's batches from number `first_batch` on, on the device of the training."""
        order, size = self.order(epoch), self.loading.batch_size
        numbers = range(first_batch, self.batches_per_epoch())
        positions = [order.positions(number, size, shard) for number in numbers]
        batches = self._ahead(
            [order.rows[part] for part in positions],
            (epoch, first_batch, shard),
            # A sample that an epoch repeats is decoded for each of its uses.
            [order.places[part] for part in positions] if self.stratification else None,
        )
        return on_device(batches, self.loading.device) if self._pinned else batches

    def in_order(self, shard: DataShard = ALL) -> Batches:
        """All batches in the order of the files; each of several workers reads a run of rows."""
        rows = part_of(np.arange(len(self.split), dtype=np.int64), shard)
        size = self.part_size(shard)
        return self._ahead([rows[start : start + size] for start in range(0, len(rows), size)])

    def each(self, parts: Sequence[Rows]) -> Batches:
        """A batch of each of these, in their order."""
        return self._ahead(parts)

    def part_size(self, shard: DataShard = ALL) -> int:
        """Samples of a batch that are one worker's."""
        return -(-self.loading.batch_size // (shard.num_groups * shard.group_size))

    def mixing(self, groups: int = 1) -> ShuffleQuality:
        """How random the shuffled order is, of the batches that one group learns from.

        Of several groups each takes its part of a batch, and so its part of a window's chunks.
        """
        window, batch = max(1, self.window // groups), -(-self.loading.batch_size // groups)
        return shuffle_quality(np.diff(self.bounds).tolist(), window, batch)

    def most_bytes(self, shard: DataShard = ALL) -> int:
        """Bytes of samples held at most.

        2 windows, prefetch + 4 batches, 2 chunks and 2 batches a thread; where samples are
        augmented another batch a thread, and one more where a process does it.
        """
        batch = min(self.part_size(shard), len(self.split))
        a_thread = 3 if self._augmented else 2
        batches = (self.loading.prefetch + 4 + a_thread * self.threads) * batch
        chunk = int(np.diff(self.bounds).max())
        rest = batches + 2 * self.threads * chunk
        most = self._two_windows() + rest * self.sample_bytes
        if self.loading.readers and self._augmented:
            most += self.threads * batch_bytes(self.split, batch)
        return most

    def describe(self, shard: DataShard = ALL) -> str:
        """How the shuffled batches are read, in one line."""
        most = size(self.most_bytes(shard))
        kind = "process" if self.loading.readers else "thread"
        several = "" if self.threads == 1 else "es" if self.loading.readers else "s"
        mixed = self.mixing(shard.num_groups)
        return f"{mixed}; at most {most} held, {self.threads} {kind}{several} decoding"

    def _chunks_in_window(self) -> int:
        chunk = self.sample_bytes * len(self.split) / (len(self.bounds) - 1)
        streams = 1 + len(self.loading.stratify or ())  # each stratum has a window of its own
        return max(1, int(self.loading.window_mib * MIB / chunk / streams))

    def _two_windows(self) -> int:
        """Bytes of the largest window there can be, and of the one that is decoded ahead.

        With processes every chunk takes as many as the largest.
        """
        streams = 1 + len(self.loading.stratify or ())
        # Strata may hold the same chunk, each for itself.
        sizes = np.sort(np.tile(np.diff(self.bounds), streams))[::-1]
        chunks = 2 * self.window * streams
        if self.loading.readers:
            return min(chunks, len(sizes)) * chunk_bytes(self.split, self.bounds)
        return int(sizes[:chunks].sum()) * self.sample_bytes

    def _ahead(
        self,
        parts: Sequence[Rows],
        augmented: tuple[int, int, DataShard] | None = None,
        visits: Sequence[Rows] | None = None,
    ) -> Batches:
        key_of = self._key_of(*augmented) if augmented and self._augmented else None
        decoding = self._decoding(parts, visits, augmented=key_of is not None)
        with closing(decoding):
            batches = self._gathered(decoding, parts, key_of)
            with closing(Prefetcher(batches, self.loading.prefetch)) as ahead:
                yield from ahead

    def _decoding(
        self, parts: Sequence[Rows], visits: Sequence[Rows] | None, *, augmented: bool
    ) -> Decoding:
        room, pinned, readers = self._two_windows(), self._pinned, self.loading.readers
        if readers is None:
            return Decoding(
                self.split,
                self.bounds,
                parts,
                room=room,
                threads=self.threads,
                pinned=pinned,
                visits=visits,
            )
        return DecodingByProcesses(
            readers,
            self.split,
            self.bounds,
            parts,
            room=room,
            pinned=pinned,
            augmented=augmented,
            visits=visits,
        )

    def _gathered(
        self, decoding: Decoding, parts: Sequence[Rows], key_of: KeyOf | None
    ) -> Iterator[Batch]:
        """The batches in their order; several are copied together at the same time."""

        def make(number: int, claim: PendingBatch) -> Batch:
            return decoding.fill(claim, key_of(number) if key_of else None)

        def finished(claim: PendingBatch, batch: Future[Batch]) -> Batch:
            made = batch.result()
            decoding.end(claim)
            return made

        waiting: deque[tuple[PendingBatch, Future[Batch]]] = deque()
        with ThreadPoolExecutor(self.threads, "baryon-batch") as pool:
            for number, rows in enumerate(parts):
                claim = decoding.begin(rows)
                waiting.append((claim, pool.submit(make, number, claim)))
                if len(waiting) > self.threads:
                    yield finished(*waiting.popleft())
            while waiting:
                yield finished(*waiting.popleft())

    def _key_of(self, epoch: int, first_batch: int, shard: DataShard) -> KeyOf:
        """Random changes follow from seed, epoch, batch and share: a resume repeats them."""
        worker = shard.group * shard.group_size + shard.rank
        return lambda number: [self.loading.seed, epoch, first_batch + number, worker]
