"""Make batches of a split, read ahead: shuffled for training, in order for evaluation.

Chunks are decoded by `Loading.threads` threads; batches are collated and augmented by as many. Or
each thread leaves the work to a process (`Loading.readers`). Threads are the rule: where a split
can be read in parallel all that costs time (reading, inflating, copying) runs without the GIL, and
processes only add copies and start-up.

At most `Loader.max_bytes` of samples are held.
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
"""Return the seed of a batch's augmentation, given its number among the batches that are read."""
Batches = Generator[Batch, None, None]
ALL = DataShard()


@dataclass(frozen=True)
class Loading:
    """How a split is read: see `conf/config.yaml`, section `data`."""

    batch_size: int
    """Samples of a step's batch, over all workers together."""
    window_mib: float
    prefetch: int
    seed: int
    threads: int
    """Threads that decode chunks, where the split allows several."""
    device: torch.device
    """Where shuffled batches go."""
    readers: WorkerGroup | None = None
    """Processes that do the work in place of the threads."""
    stratify: Mapping[int, int] | None = None
    """Samples of each stratum, by its number, in every shuffled batch."""
    accumulation_steps: int = 1
    """Parts in which a step's batch is computed; batches in order are no larger than a part."""


class Loader:
    """Make the batches of a split, for any worker's shard of them."""

    def __init__(self, split: Split, loading: Loading) -> None:
        self.split = split
        self.loading = loading
        self.bounds: Rows = chunk_bounds(split)
        self.sample_bytes = sample_bytes(split)
        self.window = self._chunks_in_window()
        self.threads = loading.threads if reads_in_parallel(split) else 1
        if loading.readers:
            self.threads = loading.readers.count
        self._augments = provides(split, "augment")
        self._pinned = loading.device.type == "cuda"

    @cached_property
    def stratification(self) -> Stratification | None:
        """How shuffled batches are made of strata; None if `data.stratify` names none.

        Raises
        ------
        BaryonError
            If the split has no such strata.

        """
        stratify = self.loading.stratify
        if not stratify:
            return None
        return Stratification.of(self.split, stratify, self.loading.batch_size)

    def batches_per_epoch(self) -> int:
        """Return the number of steps of one epoch; their batches differ by one sample at most."""
        if self.stratification:
            return self.stratification.batches_per_epoch()
        return batches_per_epoch(len(self.split), self.loading.batch_size)

    def samples_of_batch(self, number: int) -> int:
        """Return the number of samples of all workers' batch `number` of an epoch."""
        if self.stratification:
            return self.stratification.samples_of_batch(number)
        start, stop = batch_bounds(number, len(self.split), self.loading.batch_size)
        return stop - start

    def order(self, epoch: int) -> EpochOrder:
        """Return the order of an epoch, the same on all workers."""
        seed = self.loading.seed
        if self.stratification:
            return self.stratification.order(self.bounds, self.window, seed, epoch)
        starts = self.bounds[:-1].tolist()
        return shuffled(starts, len(self.split), self.window, seed, epoch)

    def shuffled(self, epoch: int, first_batch: int = 0, shard: DataShard = ALL) -> Batches:
        """Yield the shuffled batches of one epoch, augmented, on the device of the training.

        Parameters
        ----------
        epoch
            Epoch, counted from 0.
        first_batch
            Number of the first batch to yield; a resumed run begins within an epoch.
        shard
            The part of every batch to yield.

        """
        order, size = self.order(epoch), self.loading.batch_size
        numbers = range(first_batch, self.batches_per_epoch())
        positions = [order.positions(number, size, shard) for number in numbers]
        batches = self._read_ahead(
            [order.rows[part] for part in positions],
            self._key_of(epoch, first_batch, shard) if self._augments else None,
            # A sample that an epoch repeats is decoded for each of its uses.
            [order.visits[part] for part in positions] if self.stratification else None,
        )
        return on_device(batches, self.loading.device) if self._pinned else batches

    def in_order(self, shard: DataShard = ALL) -> Batches:
        """Yield all batches in the order of the files; each worker reads one run of rows."""
        rows = part_of(np.arange(len(self.split), dtype=np.int64), shard)
        size = self.size_at_once(shard)
        parts = [rows[start : start + size] for start in range(0, len(rows), size)]
        return self._read_ahead(parts)

    def each(self, parts: Sequence[Rows]) -> Batches:
        """Yield a batch of each of these sets of rows, in their order."""
        return self._read_ahead(parts)

    def part_size(self, shard: DataShard = ALL) -> int:
        """Return the number of samples of a step's batch that one worker takes, at most."""
        return -(-self.loading.batch_size // (shard.num_groups * shard.group_size))

    def size_at_once(self, shard: DataShard = ALL) -> int:
        """Return the number of samples that one worker computes at a time, at most."""
        return -(-self.part_size(shard) // self.loading.accumulation_steps)

    def shuffle_quality(self, groups: int = 1) -> ShuffleQuality:
        """Return how random the shuffled batches of one of several groups are."""
        # A group learns from its part of a batch, and so from its part of a window's chunks.
        window, batch = max(1, self.window // groups), -(-self.loading.batch_size // groups)
        return shuffle_quality(np.diff(self.bounds).tolist(), window, batch)

    def max_bytes(self, shard: DataShard = ALL) -> int:
        """Return the bytes of samples that are held at most.

        They are 2 windows, prefetch + 4 batches, and 2 chunks and 2 batches a thread; where samples
        are augmented another batch a thread, and one more where a process does it.
        """
        batch = min(self.part_size(shard), len(self.split))
        batches_a_thread = 3 if self._augments else 2
        batches = (self.loading.prefetch + 4 + batches_a_thread * self.threads) * batch
        chunk = int(np.diff(self.bounds).max())
        samples = batches + 2 * self.threads * chunk
        total = self._two_windows() + samples * self.sample_bytes
        if self.loading.readers and self._augments:
            total += self.threads * batch_bytes(self.split, batch)
        return total

    def describe(self, shard: DataShard = ALL) -> str:
        """Describe in one line how the shuffled batches are read."""
        kind = "process" if self.loading.readers else "thread"
        plural = "" if self.threads == 1 else "es" if self.loading.readers else "s"
        return (
            f"{self.threads} {kind}{plural} decoding, at most {size(self.max_bytes(shard))} held; "
            f"shuffling quality: {self.shuffle_quality(shard.num_groups)}"
        )

    def _chunks_in_window(self) -> int:
        chunk = self.sample_bytes * len(self.split) / (len(self.bounds) - 1)
        return max(1, int(self.loading.window_mib * MIB / chunk / self._windows_at_once()))

    def _windows_at_once(self) -> int:
        """Return the windows that a batch is drawn from: one a stratum, and one for the others."""
        return 1 + len(self.loading.stratify or ())

    def _two_windows(self) -> int:
        """Return the bytes of the largest window there can be, and of the one decoded ahead.

        With one window alone training would wait at each change of windows.
        """
        windows = self._windows_at_once()
        # Strata may hold the same chunk, each for itself.
        sizes = np.sort(np.tile(np.diff(self.bounds), windows))[::-1]
        # Any chunks may meet in a window: the bound is that of the largest ones.
        chunks = 2 * self.window * windows
        if self.loading.readers:  # every chunk then takes as many bytes as the largest
            return min(chunks, len(sizes)) * chunk_bytes(self.split, self.bounds)
        return int(sizes[:chunks].sum()) * self.sample_bytes

    def _read_ahead(
        self,
        parts: Sequence[Rows],
        key_of: KeyOf | None = None,
        visits: Sequence[Rows] | None = None,
    ) -> Batches:
        decoding = self._decoding(parts, visits, augmented=key_of is not None)
        with closing(decoding):
            batches = self._filled(decoding, parts, key_of)
            with closing(Prefetcher(batches, self.loading.prefetch)) as prefetched:
                yield from prefetched

    def _decoding(
        self, parts: Sequence[Rows], visits: Sequence[Rows] | None, *, augmented: bool
    ) -> Decoding:
        budget, pinned, readers = self._two_windows(), self._pinned, self.loading.readers
        if readers is None:
            return Decoding(
                self.split,
                self.bounds,
                parts,
                budget=budget,
                threads=self.threads,
                pinned=pinned,
                visits=visits,
            )
        return DecodingByProcesses(
            readers,
            self.split,
            self.bounds,
            parts,
            budget=budget,
            pinned=pinned,
            augmented=augmented,
            visits=visits,
        )

    def _filled(
        self, decoding: Decoding, parts: Sequence[Rows], key_of: KeyOf | None
    ) -> Iterator[Batch]:
        """Yield the batches in their order, while the next ones are filled by other threads."""

        def fill(number: int, pending: PendingBatch) -> Batch:
            return decoding.fill(pending, key_of(number) if key_of else None)

        def finish(pending: PendingBatch, future: Future[Batch]) -> Batch:
            batch = future.result()
            decoding.end(pending)
            return batch

        waiting: deque[tuple[PendingBatch, Future[Batch]]] = deque()
        with ThreadPoolExecutor(self.threads, "baryon-batch") as pool:
            for number, rows in enumerate(parts):
                pending = decoding.begin(rows)
                waiting.append((pending, pool.submit(fill, number, pending)))
                # One more than there are threads, so that none is idle while a batch is consumed.
                if len(waiting) > self.threads:
                    yield finish(*waiting.popleft())
            while waiting:
                yield finish(*waiting.popleft())

    def _key_of(self, epoch: int, first_batch: int, shard: DataShard) -> KeyOf:
        # The seed follows from seed, epoch, batch and worker, so that a resumed run repeats the
        # augmentation to the bit, whichever thread or process does it.
        worker = shard.group * shard.group_size + shard.rank
        return lambda number: [self.loading.seed, epoch, first_batch + number, worker]
