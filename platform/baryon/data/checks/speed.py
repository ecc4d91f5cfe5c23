"""Measure how fast a split is read: shuffled as training does, and sample by sample."""

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
"""Time that each measurement takes at most, after its first chunk."""


@dataclass(frozen=True)
class Speed:
    """Samples a second that one process reads."""

    shuffled: float
    """Shuffled in windows, as training reads."""
    one_by_one: float
    """In random order, each read by itself, as a loader does that knows no chunks."""


def speed(loader: Loader) -> Speed:
    """Measure the speed of a split. Files in the page cache are faster than others."""
    return Speed(_rate(_shuffled(loader)), _rate(_one_by_one(loader.split)))


def _rate(counts: Iterator[int]) -> float:
    start, samples = time.perf_counter(), 0
    for count in counts:
        samples += count
        if time.perf_counter() - start > SECONDS:
            break
    return samples / max(time.perf_counter() - start, 1e-9)


def _shuffled(loader: Loader) -> Iterator[int]:
    # Epoch after epoch: one of few samples would measure how fast threads start.
    for epoch in itertools.count():
        with closing(loader.shuffled(epoch)) as batches:
            for batch in batches:
                yield len(batch["keys"])


def _one_by_one(split: Split) -> Iterator[int]:
    for row in np.random.default_rng(1).permutation(len(split)).tolist():
        split.read(row, row + 1)
        yield 1
