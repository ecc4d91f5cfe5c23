"""Measure how random a shuffle in windows is: the effective size of a batch in the worst case.

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
    """Quality of one way of shuffling; sizes are numbers of samples."""

    chunks: int
    """Chunks that are mixed with each other."""
    samples: float
    """Samples in them, on average."""
    batch: int
    effective_batch: float
    """Independent samples that a batch is worth in the worst case."""
    effective_batch_of_full_shuffle: float

    @staticmethod
    def of(chunk_sizes: Sequence[int], window: int, batch: int) -> ShuffleQuality:
        """Return the quality of shuffling in windows.

        Parameters
        ----------
        chunk_sizes
            Samples of every chunk.
        window
            Number of chunks that are mixed with each other.
        batch
            Samples of a batch.

        """
        sizes = np.asarray(chunk_sizes, dtype=np.float64)
        batch, window = min(batch, int(sizes.sum())), min(window, len(sizes))
        return ShuffleQuality(
            chunks=window,
            samples=window * float(sizes.mean()),
            batch=batch,
            effective_batch=_effective_batch(sizes, window, batch),
            effective_batch_of_full_shuffle=_effective_batch(sizes, len(sizes), batch),
        )

    def __str__(self) -> str:
        return (
            f"effective batch size {self.effective_batch:.1f} of {self.batch} in the worst case "
            f"(fully shuffled: {self.effective_batch_of_full_shuffle:.1f}), "
            f"{self.chunks:,} chunks ({self.samples:,.0f} samples) mixed"
        )

    def effective_batch_at(self, correlation: float) -> float:
        """Return the samples that a batch is worth at this intraclass correlation of its chunks."""
        same_chunk = (self.batch / self.effective_batch - 1) / max(1, self.batch - 1)
        return self.batch / (1 + (self.batch - 1) * same_chunk * correlation)


def _effective_batch(
    sizes: np.ndarray[tuple[int], np.dtype[np.float64]], chunks: int, batch: int
) -> float:
    """Return what a batch is worth if `chunks` chunks of average size are mixed."""
    samples = chunks * float(sizes.mean())
    # A chunk of n samples has n (n - 1) ordered pairs within itself.
    pairs = samples * (samples - 1)
    same_chunk = chunks * float((sizes * (sizes - 1)).mean()) / pairs if pairs > 0 else 1.0
    return batch / (1 + (batch - 1) * min(1.0, same_chunk))
