"""Batches with a fixed number of samples of some strata: stratified sampling.

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

from baryon.data.sampling import EpochOrder, Rows, batch_bounds, batches_per_epoch, shuffled
from baryon.errors import BaryonError
from baryon.interfaces import DataShard, Split

KEY = "data.stratify"


@dataclass(frozen=True)
class StratifiedOrder(EpochOrder):
    """An epoch's samples, batch after batch; in each batch one stratum after the other."""

    starts: Rows
    """(batches, strata + 1) where in `rows` each stratum of each batch starts; the last column is
    where the batch ends."""

    def batch(self, number: int, size: int) -> Rows:
        """Return the row numbers of all workers' batch `number`."""
        return self.rows[self.starts[number, 0] : self.starts[number, -1]]

    def positions(self, number: int, size: int, shard: DataShard) -> Rows:
        """Return where in `rows` one worker's part of batch `number` stands.

        The parts of all workers differ by one sample at most, in all and of each stratum: groups
        that learn on their own all see every stratum.
        """
        starts = self.starts[number]
        groups = _dealt(np.diff(starts), shard.num_groups)
        members = _dealt(np.diff(groups)[:, shard.group], shard.group_size)
        parts = []
        for stratum in range(len(starts) - 1):
            run = np.arange(starts[stratum], starts[stratum + 1], dtype=np.int64)
            run = run[np.argsort(self.places[run], kind="stable")]
            first = groups[stratum, shard.group]
            low, high = first + members[stratum, shard.rank : shard.rank + 2]
            parts.append(run[low:high])
        return np.concatenate(parts)


def _dealt(counts: Rows, hands: int) -> Rows:
    """(strata, hands + 1) where each hand starts in each stratum, dealt like cards one by one.

    Card number p of the strata one after the other goes to hand p % hands, so that all hands have
    the same number of cards, and of cards of each stratum, but for one.
    """
    bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)[:, None]
    hand = np.arange(hands + 1, dtype=np.int64)
    before = bounds // hands * hand + np.minimum(bounds % hands, hand)
    return np.diff(before, axis=0)


@dataclass(frozen=True)
class Stratification:
    """How many samples of which strata are in every batch of a split."""

    members: tuple[Rows, ...]
    """Row numbers of each named stratum, and of the rest as the last."""
    counts: tuple[int, ...]
    """Samples in every batch of each named stratum."""
    batch_size: int
    digest: str
    """Of the strata of all samples and of the counts."""

    @staticmethod
    def of(split: Split, stratify: Mapping[int, int], batch_size: int) -> Stratification:
        """Read the strata of a split.

        Raises `BaryonError` if it has none, if a named stratum has no samples, and if a batch has
        no room, or the split no samples, beside those named.
        """
        strata = strata_of(split)
        names = sorted(stratify)
        counts = tuple(stratify[name] for name in names)
        if sum(counts) >= batch_size:
            raise BaryonError(
                f"{KEY} asks for {sum(counts)} samples of strata {_listed(names)} in every batch, "
                f"which leaves none of train.batch_size={batch_size} to others: give fewer"
            )
        members = [np.flatnonzero(strata == name) for name in names]
        missing = [name for name, rows in zip(names, members, strict=True) if not len(rows)]
        rest = np.flatnonzero(~np.isin(strata, names))
        present = f"its {len(strata):,} samples are of strata {_listed(np.unique(strata).tolist())}"
        if missing:
            raise BaryonError(f"{KEY}: no sample is of stratum {_listed(missing)}; {present}")
        if not len(rest):
            raise BaryonError(f"{KEY} names all strata; {present}: leave one out")
        digest = hashlib.sha256(strata.tobytes() + repr((names, counts)).encode()).hexdigest()
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

        `window` is the number of a stratum's chunks that are mixed. A place is never that of
        another stratum or of another pass: a chunk is visited anew for each of them.
        """
        batches = self.batches_per_epoch()
        streams = []
        for number, (rows, count) in enumerate(zip(self.members, self.counts, strict=False)):
            first = epoch * batches * count
            stream = _stream(rows, bounds, window, [seed, number], first, first + batches * count)
            streams.append((*stream, np.arange(batches + 1) * count))
        rest = self.members[-1]
        stream = _stream(
            rest,
            bounds,
            window,
            [seed, len(self.counts)],
            epoch * len(rest),
            (epoch + 1) * len(rest),
        )
        ends = [batch_bounds(number, len(rest), self._others)[1] for number in range(batches)]
        streams.append((*stream, np.array([0, *ends])))
        return _interleaved(streams)


def _stream(
    rows: Rows, bounds: Rows, window: int, seed: list[int], first: int, last: int
) -> tuple[Rows, Rows]:
    """Numbers first..last-1 of the endless passes over `rows`, with the places of their chunks."""
    chunk_of = np.searchsorted(bounds, rows, side="right") - 1
    starts = np.flatnonzero(np.diff(chunk_of, prepend=-1)).tolist()
    passes = range(first // len(rows), -(-last // len(rows)))
    orders = [shuffled(starts, len(rows), window, seed, number) for number in passes]
    places = [order.places + number * len(starts) for number, order in enumerate(orders)]
    span = slice(first - passes.start * len(rows), last - passes.start * len(rows))
    picked = np.concatenate([order.rows for order in orders])[span]
    return rows[picked], np.concatenate(places)[span]


def _interleaved(streams: list[tuple[Rows, Rows, Rows]]) -> StratifiedOrder:
    """Put the streams' parts of each batch one after the other.

    A stream is its rows, their places, and the (batches + 1) numbers where its batches start.
    """
    starts = np.stack([start for _, _, start in streams], axis=1)
    sizes = np.diff(starts, axis=0)
    ends = np.cumsum(sizes.ravel()).reshape(sizes.shape)
    rows, places = (np.empty(int(sizes.sum()), np.int64) for _ in range(2))
    offset = 0
    for number, (its_rows, its_places, _) in enumerate(streams):
        first_of_batch = np.repeat(ends[:, number] - sizes[:, number], sizes[:, number])
        within = np.arange(len(its_rows)) - np.repeat(starts[:-1, number], sizes[:, number])
        rows[first_of_batch + within] = its_rows
        places[first_of_batch + within] = its_places + offset
        offset += int(its_places.max()) + 1
    return StratifiedOrder(rows, places, np.column_stack([ends - sizes, ends[:, -1]]))


def strata_of(split: Split) -> Rows:
    """Return the stratum of every sample of a split, (N,) int64.

    Raises `BaryonError` if the split has no strata, or not one whole number a sample.
    """
    strata = split.strata()
    owner = f"{type(split).__module__}.{type(split).__qualname__}"
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
