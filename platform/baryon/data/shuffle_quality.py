"""How random a shuffle in windows is: what a batch is worth in the worst case.

The worst case is that all samples of a chunk are alike, as in a file sorted by class. A batch of n
samples is then worth n / (1 + (n - 1) p) independent ones, where p is the probability that two of
its samples come from one chunk: the design effect of cluster sampling (Kish, Survey Sampling,
1965) at an intraclass correlation of 1. A full shuffle has a p too, but a small one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ShuffleQuality:
    """The measure for one way of shuffling."""

    chunks: int
    """Chunks that are mixed with each other."""
    samples: float
    """Samples in them, on average."""
    batch: int
    worst: float
    """Independent samples that a batch is worth at least."""
    worst_of_full_shuffle: float

    def __str__(self) -> str:
        return (
            f"{self.chunks:,} chunks ({self.samples:,.0f} samples) are mixed, so that a batch of "
            f"{self.batch} is worth {self.worst:.1f} samples in the worst case "
            f"({self.worst_of_full_shuffle:.1f} fully shuffled)"
        )

    def worth(self, likeness: float) -> float:
        """Independent samples a batch is worth at an intraclass correlation of `likeness`."""
        same = (self.batch / self.worst - 1) / max(1, self.batch - 1)
        return self.batch / (1 + (self.batch - 1) * same * likeness)


def shuffle_quality(chunk_sizes: Sequence[int], window: int, batch: int) -> ShuffleQuality:
    """The measure for chunks of so many samples each, `window` of them mixed."""
    sizes = np.asarray(chunk_sizes, dtype=np.float64)
    batch, window = min(batch, int(sizes.sum())), min(window, len(sizes))
    return ShuffleQuality(
        chunks=window,
        samples=window * float(sizes.mean()),
        batch=batch,
        worst=_worth(sizes, window, batch),
        worst_of_full_shuffle=_worth(sizes, len(sizes), batch),
    )


def _worth(sizes: np.ndarray[tuple[int], np.dtype[np.float64]], chunks: int, batch: int) -> float:
    """With chunks of the average kind: n samples each, n (n - 1) ordered pairs within each."""
    samples = chunks * float(sizes.mean())
    pairs = samples * (samples - 1)
    same = chunks * float((sizes * (sizes - 1)).mean()) / pairs if pairs > 0 else 1.0
    return batch / (1 + (batch - 1) * min(1.0, same))
