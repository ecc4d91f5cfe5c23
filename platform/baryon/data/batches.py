"""Read batches ahead: decode chunks, fill batches from them and augment these, all in threads.

Chunks are decoded by some threads, batches are collated and augmented by as many. Or each thread
leaves the work to a process. Threads are the rule: where a split can be read in parallel all that
costs time (reading, inflating, copying) runs without the GIL, and processes only add copies and
start-up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from baryon.data.decoding import AugmentationSeed, Decoding, PendingBatch
from baryon.data.prefetch import Prefetcher
from baryon.data.sampling import Rows
from baryon.data.workers.decoding import DecodingByProcesses
from baryon.data.workers.worker_group import WorkerGroup
from baryon.interfaces import Batch, Split

SeedOfBatch = Callable[[int], AugmentationSeed]
"""Return the seed of a batch's augmentation, given its number among the batches that are read."""
Batches = Generator[Batch, None, None]


@dataclass(frozen=True)
class BatchReader:
    """Reads batches of a split, given their rows."""

    split: Split
    bounds: Rows
    """(chunks + 1,) first row of every chunk, and the number of rows."""
    budget: int
    """Bytes of decoded chunks that may be held; more if the batch at hand needs them."""
    prefetch: int
    """Batches that wait for being asked for, at most."""
    threads: int
    pinned: bool
    """Whether batches lie in pinned memory, from where a GPU copies while it computes."""
    processes: WorkerGroup | None
    """Processes that do the work in place of the threads."""

    def read(
        self,
        parts: Sequence[Rows],
        seed_of: SeedOfBatch | None = None,
        visits: Sequence[Rows] | None = None,
    ) -> Batches:
        """Yield the batches in their order, read ahead.

        Parameters
        ----------
        parts
            Row numbers of each batch.
        seed_of
            Seeds of the batches' augmentation; without it they are not augmented.
        visits
            For each row of each batch, the number of the visit that decodes its chunk; without it
            every chunk is decoded once.

        """
        decoding = self._decoding(parts, visits, augmented=seed_of is not None)
        with closing(decoding):
            batches = self._filled(decoding, parts, seed_of)
            with closing(Prefetcher(batches, self.prefetch)) as prefetched:
                yield from prefetched

    def _decoding(
        self, parts: Sequence[Rows], visits: Sequence[Rows] | None, *, augmented: bool
    ) -> Decoding:
        if self.processes is None:
            return Decoding(
                self.split,
                self.bounds,
                parts,
                budget=self.budget,
                threads=self.threads,
                pinned=self.pinned,
                visits=visits,
            )
        return DecodingByProcesses(
            self.processes,
            self.split,
            self.bounds,
            parts,
            budget=self.budget,
            pinned=self.pinned,
            augmented=augmented,
            visits=visits,
        )

    def _filled(
        self, decoding: Decoding, parts: Sequence[Rows], seed_of: SeedOfBatch | None
    ) -> Iterator[Batch]:
        """Yield the batches in their order, while the next ones are filled by other threads."""

        def fill(number: int, pending: PendingBatch) -> Batch:
            return decoding.fill(pending, seed_of(number) if seed_of else None)

        def finish(pending: PendingBatch, future: Future[Batch]) -> Batch:
            batch = future.result()
            decoding.end(pending)
            return batch

        waiting: deque[tuple[PendingBatch, Future[Batch]]] = deque()
        with ThreadPoolExecutor(self.threads, "baryon-batch") as pool:
            for number, rows in enumerate(parts):
                pending = decoding.begin(rows)
                waiting.append((pending, pool.submit(fill, number, pending)))
                # One more than there are threads, so that none is idle while a batch is consumed.
                if len(waiting) > self.threads:
                    yield finish(*waiting.popleft())
            while waiting:
                yield finish(*waiting.popleft())
