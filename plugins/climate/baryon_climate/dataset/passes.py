"""Passes over all frames: runs that are stored together, read by several threads at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from itertools import pairwise
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Result = TypeVar("Result")
Run = tuple[int, int]
"""First frame and the one after the last."""


class Frames(Protocol):
    """Where frames come from; read by several threads at once."""

    def __len__(self) -> int:
        """Return the number of frames."""
        ...

    def chunk_starts(self) -> Sequence[int]:
        """Return the first frame of every run that is read together."""
        ...

    def read(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Return (stop - start, channels, height, width) numbers in the channels' units."""
        ...

    def place(self, frame: int, channel: int = 0) -> str:
        """Return the file of a frame's channel and the frame in it, for people."""
        ...

    def fingerprint(self) -> str:
        """Return a text that changes when the data does."""
        ...


def runs_of(frames: Frames, most: int | None) -> list[Run]:
    """Return what is read together: all frames, or about `most` of them, evenly spread."""
    bounds = [*frames.chunk_starts(), len(frames)]
    runs = list(pairwise(bounds))
    if most is None or most >= len(frames):
        return runs
    count = max(1, round(len(runs) * most / len(frames)))
    chosen = np.unique(np.linspace(0, len(runs) - 1, count).round().astype(int))
    return [runs[number] for number in chosen]


def in_order(
    pool: Executor, work: Callable[[int, int], Result], runs: Sequence[Run], threads: int
) -> Iterator[tuple[Result, Run]]:
    """Yield `work(start, stop)` of each run in order.

    No more runs are in memory than there are threads, so that a pass costs no more than these.
    """
    waiting: deque[Any] = deque()
    coming = iter(runs)
    while True:
        while len(waiting) < threads and (run := next(coming, None)) is not None:
            waiting.append((pool.submit(work, *run), run))
        if not waiting:
            return
        result, run = waiting.popleft()
        yield result.result(), run
