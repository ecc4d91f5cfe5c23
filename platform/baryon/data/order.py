"""The order in which an epoch visits the samples: shuffled, yet kind to chunked files.

Chunks are visited in a random order; the samples of as many chunks as fit into the window are
mixed with each other. The order follows from (seed, epoch) alone, whatever the number of workers:
batch b of all workers together is always the same set of samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from baryon.interfaces import Share

Rows = npt.NDArray[np.int64]


def shuffled(chunk_starts: Sequence[int], rows: int, window: int, seed: int, epoch: int) -> Rows:
    """Row numbers (rows,) of one epoch; `window` is the number of chunks mixed together."""
    generator = np.random.default_rng([seed, epoch])
    bounds = np.append(np.asarray(chunk_starts, dtype=np.int64), rows)
    chunks = generator.permutation(len(chunk_starts))
    windows = []
    for first in range(0, len(chunks), window):
        mixed = [np.arange(bounds[c], bounds[c + 1]) for c in chunks[first : first + window]]
        windows.append(generator.permutation(np.concatenate(mixed)))
    return np.concatenate(windows)


def part_of(batch: Rows, share: Share) -> Rows:
    """A worker's part of a batch: of its group's part, its member's; even but for one sample."""
    group = np.array_split(batch, share.groups)[share.group]
    return np.array_split(group, share.members)[share.member]
