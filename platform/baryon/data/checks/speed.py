"""How fast a split is read, measured: shuffled as training does, and sample by sample."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from baryon.data.loader import Loader
from baryon.interfaces import Split

SECONDS = 1.0
"""That each measurement takes at most, but for a first chunk."""


@dataclass(frozen=True)
class Speed:
    """Samples a second of one process."""

    shuffled: float
    one_by_one: float
    """In random order, each read for itself: what a loader that knows no chunks does."""


def speed(loader: Loader) -> Speed:
    """Measure both; files that the machine holds in memory are faster than others."""
    return Speed(_rate(_shuffled(loader)), _rate(_one_by_one(loader.split)))


def _rate(counts: Iterator[int]) -> float:
    start, read = time.perf_counter(), 0
    for count in counts:
        read += count
        if time.perf_counter() - start > SECONDS:
            break
    return read / max(time.perf_counter() - start, 1e-9)


def _shuffled(loader: Loader) -> Iterator[int]:
    """Epoch after epoch: of few samples one alone would measure how fast threads start."""
    for epoch in itertools.count():
        with closing(loader.shuffled(epoch)) as batches:
            for batch in batches:
                yield len(batch["keys"])


def _one_by_one(split: Split) -> Iterator[int]:
    for row in np.random.default_rng(1).permutation(len(split)).tolist():
        split.read(row, row + 1)
        yield 1
