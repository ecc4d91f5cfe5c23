"""How splits are read: the settings of a loader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from baryon.data.workers.worker_group import WorkerGroup


@dataclass(frozen=True)
class Loading:
    """How a split is read: see `conf/config.yaml`, section `data`."""

    batch_size: int
    """Samples of a step's batch, over all workers together."""
    window_mib: float
    prefetch: int
    seed: int
    threads: int
    """Threads that decode chunks, where the split allows several."""
    device: torch.device
    """Where shuffled batches go."""
    readers: WorkerGroup | None = None
    """Processes that do the work in place of the threads."""
    stratify: Mapping[int, int] | None = None
    """Samples of each stratum, by its number, in every shuffled batch."""
    accumulation_steps: int = 1
    """Parts in which a step's batch is computed; batches in order are no larger than a part."""
