"""Put a fixed number of samples of some strata into every batch: stratified sampling.

A split whose samples differ in kind, such as labelled and unlabelled ones, gives each a stratum
number. `data.stratify={1: 4}` then puts 4 samples of stratum 1 into every batch of all workers
together; the rest of the batch is of the other strata.

An epoch takes every sample of the other strata once. A named stratum has passes of its own, which
go on from one epoch to the next: at any time each of its samples was taken as often as every other,
or once more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from baryon.data.contract_check import class_of
from baryon.data.sampling import EpochOrder, Rows, batch_bounds, batches_per_epoch, shuffled_order
from baryon.errors import BaryonError
from baryon.interfaces import DataShard, Split

KEY = "data.stratify"


@dataclass(frozen=True)
class StratifiedOrder(EpochOrder):
    """An epoch's samples, batch after batch; in each batch one stratum after the other."""

    starts: Rows
    """(batches, strata + 1) position in `rows` at which each stratum of each batch starts.

    The last column is where the batch ends.
    """

    def batch(self, number: int, size: int) -> Rows:
        """Return the row numbers of all workers' batch `number`."""
        return self.rows[self.starts[number, 0] : self.starts[number, -1]]

    def positions(self, number: int, size: int, shard: DataShard) -> Rows:
        """Return the positions in `rows` of one worker's part of batch `number`.

        The parts of all workers differ by one sample at most, in all and of each stratum: groups
        that learn on their own all see every stratum.
        """
        starts = self.starts[number]
        groups = _part_starts(np.diff(starts), shard.num_groups)
        members = _part_starts(np.diff(groups)[:, shard.group], shard.group_size)
        parts = []
        for stratum in range(len(starts) - 1):
            samples = np.arange(starts[stratum], starts[stratum + 1], dtype=np.int64)
            # Sorted by visit, so that a worker decodes few chunks; see `EpochOrder.positions`.
            samples = samples[np.argsort(self.visits[samples], kind="stable")]
            first = groups[stratum, shard.group]
            low, high = first + members[stratum, shard.rank : shard.rank + 2]
            parts.append(samples[low:high])
        return np.concatenate(parts)


def _part_starts(counts: Rows, parts: int) -> Rows:
    """Return the position in each stratum at which each part starts, (strata, parts + 1).

    The samples are dealt like cards: number p, counted through the strata one after the other, goes
    to part p % parts. So all parts have the same number of samples, and of samples of each stratum,
    but for one.
    """
    bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)[:, None]
    part = np.arange(parts + 1, dtype=np.int64)
    before = bounds // parts * part + np.minimum(bounds % parts, part)
    return np.diff(before, axis=0)


@dataclass(frozen=True)
class Stratification:
    """The number of samples of each stratum in every batch of a split."""

    members: tuple[Rows, ...]
    """Row numbers of each named stratum, and of the rest as the last."""
    counts: tuple[int, ...]
    """Samples of each named stratum in every batch."""
    batch_size: int
    digest: str
    """Hash of the strata of all samples and of the counts."""

    @staticmethod
    def of(split: Split, stratify: Mapping[int, int], batch_size: int) -> Stratification:
        """Read the strata of a split.

        Parameters
        ----------
        split
            The split, which has strata.
        stratify
            Samples of each named stratum in every batch, by the stratum's number.
        batch_size
            Samples of a batch, over all workers together.

        Raises
        ------
        BaryonError
            If the split has no strata, if a named stratum has no samples, or if the named ones
            leave no room in a batch, or no samples, to the others.

        """
        strata = strata_of(split)
        numbers = sorted(stratify)
        counts = tuple(stratify[number] for number in numbers)
        if sum(counts) >= batch_size:
            raise BaryonError(
                f"{KEY} asks for {sum(counts)} samples of strata {_listed(numbers)} in every "
                f"batch, which leaves none of its {batch_size} samples to others: give fewer"
            )
        members = [np.flatnonzero(strata == number) for number in numbers]
        missing = [number for number, rows in zip(numbers, members, strict=True) if not len(rows)]
        rest = np.flatnonzero(~np.isin(strata, numbers))
        present = f"its {len(strata):,} samples are of strata {_listed(np.unique(strata).tolist())}"
        if missing:
            raise BaryonError(f"{KEY}: no sample is of stratum {_listed(missing)}; {present}")
        if not len(rest):
            raise BaryonError(f"{KEY} names all strata; {present}: leave one out")
        digest = hashlib.sha256(strata.tobytes() + repr((numbers, counts)).encode()).hexdigest()
        return Stratification((*members, rest), counts, batch_size, digest[:16])

    def batches_per_epoch(self) -> int:
        """Return the number of batches that take all samples of the other strata once."""
        return batches_per_epoch(len(self.members[-1]), self._others)

    def samples_of_batch(self, number: int) -> int:
        """Return the samples of all workers' batch `number` of an epoch."""
        start, stop = batch_bounds(number, len(self.members[-1]), self._others)
        return sum(self.counts) + stop - start

    @property
    def _others(self) -> int:
        return self.batch_size - sum(self.counts)

    def order(self, bounds: Rows, window: int, seed: int, epoch: int) -> StratifiedOrder:
        """Return the order of an epoch over chunks with these `bounds`.

        `window` is the number of a stratum's chunks that are mixed. A visit is never that of
        another stratum or of another pass: a chunk is decoded anew for each of them.
        """
        batches = self.batches_per_epoch()
        streams = []
        for number, (rows, count) in enumerate(zip(self.members, self.counts, strict=False)):
            samples = range(epoch * batches * count, (epoch + 1) * batches * count)
            stream = _stream(rows, bounds, window, [seed, number], samples)
            streams.append((*stream, np.arange(batches + 1) * count))
        rest = self.members[-1]
        samples = range(epoch * len(rest), (epoch + 1) * len(rest))
        stream = _stream(rest, bounds, window, [seed, len(self.counts)], samples)
        ends = [batch_bounds(number, len(rest), self._others)[1] for number in range(batches)]
        streams.append((*stream, np.array([0, *ends])))
        return _interleaved(streams)


def _stream(
    rows: Rows, bounds: Rows, window: int, seed: list[int], samples: range
) -> tuple[Rows, Rows]:
    """Return a range of the endless shuffled passes over `rows`, and the visits of their chunks."""
    chunk_of = np.searchsorted(bounds, rows, side="right") - 1
    starts = np.flatnonzero(np.diff(chunk_of, prepend=-1)).tolist()
    passes = range(samples.start // len(rows), -(-samples.stop // len(rows)))
    orders = [shuffled_order(starts, len(rows), window, seed, number) for number in passes]
    visits = [order.visits + number * len(starts) for number, order in enumerate(orders)]
    skipped = passes.start * len(rows)
    span = slice(samples.start - skipped, samples.stop - skipped)
    picked = np.concatenate([order.rows for order in orders])[span]
    return rows[picked], np.concatenate(visits)[span]


def _interleaved(streams: list[tuple[Rows, Rows, Rows]]) -> StratifiedOrder:
    """Put the streams' parts of each batch one after the other.

    A stream is its rows, their visits, and the (batches + 1) numbers where its batches start.
    """
    starts = np.stack([start for _, _, start in streams], axis=1)
    sizes = np.diff(starts, axis=0)
    ends = np.cumsum(sizes.ravel()).reshape(sizes.shape)
    rows, visits = (np.empty(int(sizes.sum()), np.int64) for _ in range(2))
    offset = 0
    for number, (stream_rows, stream_visits, _) in enumerate(streams):
        first_of_batch = np.repeat(ends[:, number] - sizes[:, number], sizes[:, number])
        within = np.arange(len(stream_rows)) - np.repeat(starts[:-1, number], sizes[:, number])
        rows[first_of_batch + within] = stream_rows
        visits[first_of_batch + within] = stream_visits + offset
        offset += int(stream_visits.max()) + 1
    return StratifiedOrder(rows, visits, np.column_stack([ends - sizes, ends[:, -1]]))


def strata_of(split: Split) -> Rows:
    """Return the stratum of every sample of a split, (N,) int64.

    Raises
    ------
    BaryonError
        If the split has no strata, or not one whole number a sample.

    """
    strata = split.strata()
    owner = class_of(split)
    if strata is None:
        raise BaryonError(
            f"{KEY} is set, but the dataset's split ({owner}) has no strata: leave it at null"
        )
    numbers = np.asarray(strata)
    if numbers.shape != (len(split),) or numbers.dtype.kind not in "iub":
        raise BaryonError(
            f"{owner}: strata() must give a whole number for each of its {len(split)} samples, "
            f"not {numbers.dtype} {numbers.shape}"
        )
    return numbers.astype(np.int64)


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
