"""Share samples out among workers in rounds of whole chunks.

In a round every worker has one portion, and each worker's portion follows that of the one before.
So what the leader gathers after a round is in the order of the samples, and it writes as it goes:
there are no parts to be merged, no more than a round is ever held, and no chunk is decoded twice.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from baryon.data.sampling import Rows
from baryon.interfaces import DataShard


def rounds_of(bounds: Rows, size: int, shard: DataShard) -> list[list[Rows]]:
    """Return one worker's batches, round by round.

    Parameters
    ----------
    bounds
        (chunks + 1,) first row of every chunk, and the number of rows.
    size
        Samples of a batch, at most.
    shard
        The worker.

    Returns
    -------
    list of list of numpy.ndarray
        Row numbers (N,) of each batch of each round. All workers have the same number of rounds;
        the last one may be empty.

    """
    workers = shard.num_groups * shard.group_size
    worker = shard.group * shard.group_size + shard.rank
    portions = _portions(bounds, size)
    rounds = -(-len(portions) // workers)
    portion_of_round = dict(enumerate(portions[worker::workers]))
    # Every worker has every round, if an empty one, for each of them ends in a collective gather.
    return [_batches(*portion_of_round.get(number, (0, 0)), size) for number in range(rounds)]


def _portions(bounds: Rows, size: int) -> list[tuple[int, int]]:
    """Return runs of whole chunks that each fill a batch: first row, and one past the last."""
    edges = [0]
    for bound in bounds[1:].tolist():
        if bound - edges[-1] >= size:
            edges.append(bound)
    if edges[-1] < bounds[-1]:
        edges.append(int(bounds[-1]))
    return list(pairwise(edges))


def _batches(start: int, stop: int, size: int) -> list[Rows]:
    edges = [*range(start, stop, size), stop]
    return [np.arange(first, last, dtype=np.int64) for first, last in pairwise(edges)]
