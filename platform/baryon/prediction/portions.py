"""How the samples are shared out: in turns, each of whole chunks.

In a round every worker has one portion, and those of a round follow each other. So what the leader
gathers after each round is in the order of the samples, no more than a round is ever held, and no
chunk is decoded twice.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from baryon.data.sampling import Rows
from baryon.interfaces import DataShard


def turns(bounds: Rows, size: int, shard: DataShard) -> list[list[Rows]]:
    """This worker's batches of at most `size` samples, round by round.

    `bounds` are the first rows of the chunks and the number of all rows. All workers have as many
    rounds; there may be nothing for them to do in the last.
    """
    workers = shard.num_groups * shard.group_size
    worker = shard.group * shard.group_size + shard.rank
    portions = _portions(bounds, size)
    rounds = -(-len(portions) // workers)
    mine = dict(enumerate(portions[worker::workers]))
    return [_batches(*mine.get(number, (0, 0)), size) for number in range(rounds)]


def _portions(bounds: Rows, size: int) -> list[tuple[int, int]]:
    """First and last row + 1 of runs of chunks that each fill a batch."""
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
