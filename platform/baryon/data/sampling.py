"""The order in which an epoch visits the samples: shuffled, yet kind to chunked files.

Chunks are visited in a random order; the samples of as many chunks as fit into the window are
mixed with each other. The order follows from (seed, epoch) alone, whatever the number of workers:
batch b of all workers together is always the same set of samples.

An epoch of N samples is cut into ceil(N / batch size) batches whose sizes differ by one at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from baryon.interfaces import DataShard

Rows = npt.NDArray[np.int64]

VERSION = 2
"""Changes when the same seed gives another order: a run cannot go on with another one."""


@dataclass(frozen=True)
class EpochOrder:
    """An epoch's samples in the order in which batches take them."""

    rows: Rows
    """(N,) row numbers."""
    places: Rows
    """(N,) for each of `rows` when its chunk is visited: 0 for the samples of the first chunk."""

    def batch(self, number: int, size: int) -> Rows:
        """Return the row numbers of all workers' batch `number`, at most `size` of them."""
        return self.rows[_span(number, len(self.rows), size)]

    def part(self, number: int, size: int, shard: DataShard) -> Rows:
        """Return the row numbers of one worker's part of batch `number`."""
        return self.rows[self.positions(number, size, shard)]

    def positions(self, number: int, size: int, shard: DataShard) -> Rows:
        """Return where in `rows` one worker's part of batch `number` stands.

        Each of several workers takes samples of neighbouring places, so that it meets few chunks:
        whoever takes one sample of a chunk has to decode all of it.
        """
        span = _span(number, len(self.rows), size)
        batch = np.arange(span.start, span.stop, dtype=np.int64)
        if shard.num_groups * shard.group_size > 1:
            batch = batch[np.argsort(self.places[span], kind="stable")]
        return part_of(batch, shard)


def batches_per_epoch(samples: int, size: int) -> int:
    """Return the number of batches that hold at most `size` of the samples each."""
    return -(-samples // size)


def batch_bounds(number: int, samples: int, size: int) -> tuple[int, int]:
    """Return the first place of batch `number` in its epoch's order, and the one after its last.

    A step counts the same whatever the size of its batch, so a short last batch would move the
    weights as far as a full one, on the word of a few samples. The sizes of all batches are
    therefore floor(N / n) or ceil(N / n), for N samples in n batches. Batch 0 is of the larger
    size: what is measured on it (memory, speed) holds for all.
    """
    batches = batches_per_epoch(samples, size)
    return -(-number * samples // batches), -(-(number + 1) * samples // batches)


def _span(number: int, samples: int, size: int) -> slice:
    return slice(*batch_bounds(number, samples, size))


def shuffled(
    chunk_starts: Sequence[int], rows: int, window: int, seed: int | Sequence[int], epoch: int
) -> EpochOrder:
    """The order of an epoch over `rows` samples; `window` is the number of chunks mixed."""
    seeds = [seed] if isinstance(seed, int) else seed
    generator = np.random.default_rng([*seeds, epoch])
    bounds = np.append(np.asarray(chunk_starts, dtype=np.int64), rows)
    chunks = generator.permutation(len(chunk_starts))
    windows = []
    for first in range(0, len(chunks), window):
        mixed = [np.arange(bounds[c], bounds[c + 1]) for c in chunks[first : first + window]]
        windows.append(generator.permutation(np.concatenate(mixed)))
    order = np.concatenate(windows)
    visited = np.empty(len(chunks), np.int64)
    visited[chunks] = np.arange(len(chunks))
    return EpochOrder(order, visited[np.searchsorted(bounds, order, side="right") - 1])


def part_of(rows: Rows, shard: DataShard) -> Rows:
    """A worker's part of some samples: of its group's, its member's; even but for one sample."""
    group = _even_part(rows, shard.group, shard.num_groups)
    return _even_part(group, shard.rank, shard.group_size)


def _even_part(rows: Rows, number: int, parts: int) -> Rows:
    """Return what `np.array_split` has at `number`, without making all the others."""
    size, larger = divmod(len(rows), parts)
    start = number * size + min(number, larger)
    return rows[start : start + size + (number < larger)]
