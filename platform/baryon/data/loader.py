"""Make batches of a split: shuffled for training, in order for evaluation.

At most `Loader.max_bytes` of samples are held.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from baryon.data.batches import Batches, BatchReader, SeedOfBatch
from baryon.data.contract_check import chunk_bounds, provides
from baryon.data.decoding import reads_in_parallel, sample_bytes
from baryon.data.device_copy import on_device
from baryon.data.loading import Loading
from baryon.data.sampling import (
    EpochOrder,
    Rows,
    batch_bounds,
    batches_per_epoch,
    part_of,
    shuffled_order,
)
from baryon.data.shuffle_quality import ShuffleQuality
from baryon.data.strata import Stratification
from baryon.data.window import Window
from baryon.interfaces import DataShard, Split
from baryon.terminal import units

ALL = DataShard()


class Loader:
    """Make the batches of a split, for any worker's shard of them."""

    def __init__(self, split: Split, loading: Loading) -> None:
        self.split = split
        self.loading = loading
        self.bounds: Rows = chunk_bounds(split)
        self.sample_bytes = sample_bytes(split)
        self.threads = loading.threads if reads_in_parallel(split) else 1
        if loading.readers:
            self.threads = loading.readers.count
        self._window = Window(split, self.bounds, loading)
        self._reader = BatchReader(
            split,
            self.bounds,
            budget=self._window.bytes_of_two(),
            prefetch=loading.prefetch,
            threads=self.threads,
            pinned=loading.device.type == "cuda",
            processes=loading.readers,
        )

    @property
    def window(self) -> int:
        """Number of chunks whose samples are mixed with each other."""
        return self._window.chunks

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
        return shuffled_order(starts, len(self.split), self.window, seed, epoch)

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
        order, batch_size = self.order(epoch), self.loading.batch_size
        numbers = range(first_batch, self.batches_per_epoch())
        positions = [order.positions(number, batch_size, shard) for number in numbers]
        augments = provides(self.split, "augment")
        batches = self._reader.read(
            [order.rows[part] for part in positions],
            self._seed_of_batch(epoch, first_batch, shard) if augments else None,
            # A sample that an epoch repeats is decoded for each of its uses.
            [order.visits[part] for part in positions] if self.stratification else None,
        )
        return on_device(batches, self.loading.device) if self._reader.pinned else batches

    def in_order(self, shard: DataShard = ALL, rows: Rows | None = None) -> Batches:
        """Yield batches in the order of the files, of all rows or of some ascending ones.

        Each worker reads one run of them.
        """
        if rows is None:
            rows = np.arange(len(self.split), dtype=np.int64)
        rows = part_of(rows, shard)
        size = self.size_at_once(shard)
        parts = [rows[start : start + size] for start in range(0, len(rows), size)]
        return self._reader.read(parts)

    def each(self, parts: Sequence[Rows]) -> Batches:
        """Yield a batch of each of these sets of rows, in their order."""
        return self._reader.read(parts)

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
        return ShuffleQuality.of(np.diff(self.bounds).tolist(), window, batch)

    def max_bytes(self, shard: DataShard = ALL) -> int:
        """Return the bytes of samples that are held at most."""
        return self._window.max_bytes(self.part_size(shard), self.threads)

    def describe(self, shard: DataShard = ALL) -> str:
        """Describe in one line how the shuffled batches are read."""
        kind = "process" if self.loading.readers else "thread"
        plural = "" if self.threads == 1 else "es" if self.loading.readers else "s"
        held = units.size(self.max_bytes(shard))
        return (
            f"{self.threads} {kind}{plural} decoding, at most {held} held; "
            f"shuffling quality: {self.shuffle_quality(shard.num_groups)}"
        )

    def _seed_of_batch(self, epoch: int, first_batch: int, shard: DataShard) -> SeedOfBatch:
        # All that the seed follows from is known again when a run is resumed, which so repeats the
        # augmentation to the bit, whichever thread or process does it.
        worker = shard.group * shard.group_size + shard.rank
        return lambda number: [self.loading.seed, epoch, first_batch + number, worker]
