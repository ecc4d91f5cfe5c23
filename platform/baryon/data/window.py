"""How many chunks are mixed with each other, and how much memory that takes."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from baryon.data.contract_check import provides
from baryon.data.decoding import sample_bytes
from baryon.data.loading import Loading
from baryon.data.sampling import Rows
from baryon.data.workers.decoding import batch_bytes, chunk_bytes
from baryon.interfaces import Split

MIB = 2**20


class Window:
    """The chunks of a split that are mixed with each other at a time, of `data.window_mib`."""

    def __init__(self, split: Split, bounds: Rows, loading: Loading) -> None:
        """`bounds` are (chunks + 1,) first row of every chunk, and the number of rows."""
        self._split, self._bounds, self._loading = split, bounds, loading
        self._sample_bytes = sample_bytes(split)
        # A batch is drawn from a window of each stratum, and one of the other samples.
        self._at_once = 1 + len(loading.stratify or ())

    @cached_property
    def chunks(self) -> int:
        """Number of chunks of a window."""
        chunk = self._sample_bytes * len(self._split) / (len(self._bounds) - 1)
        return max(1, int(self._loading.window_mib * MIB / chunk / self._at_once))

    def bytes_of_two(self) -> int:
        """Return the bytes of the largest window there can be, and of the one decoded ahead.

        With one window alone training would wait at each change of windows.
        """
        # Strata may hold the same chunk, each for itself.
        sizes = np.sort(np.tile(np.diff(self._bounds), self._at_once))[::-1]
        # Any chunks may meet in a window: the bound is that of the largest ones.
        chunks = 2 * self.chunks * self._at_once
        if self._loading.readers:  # every chunk then takes as many bytes as the largest
            return min(chunks, len(sizes)) * chunk_bytes(self._split, self._bounds)
        return int(sizes[:chunks].sum()) * self._sample_bytes

    def max_bytes(self, batch: int, threads: int) -> int:
        """Return the bytes of samples that are held at most, with batches of that many samples.

        They are 2 windows, prefetch + 4 batches, and 2 chunks and 2 batches a thread; where samples
        are augmented another batch a thread, and one more where a process does it.
        """
        augments = provides(self._split, "augment")
        batch = min(batch, len(self._split))
        batches = self._loading.prefetch + 4 + (3 if augments else 2) * threads
        chunk = int(np.diff(self._bounds).max())
        samples = batches * batch + 2 * threads * chunk
        total = self.bytes_of_two() + samples * self._sample_bytes
        if self._loading.readers and augments:
            total += threads * batch_bytes(self._split, batch)
        return total
