"""Draw how late the slowest worker of each group is, step by step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from baryon.scaling.job import Job
from baryon.scaling.machine import Machine

STEPS_OF_RUN = 200
"""Steps after which nodes are drawn anew: as many short runs, each on other nodes."""
NUMBERS_AT_ONCE = 2**20
"""Numbers drawn at a time: they stay in the processor's cache."""

Delays = np.ndarray[tuple[int, int], np.dtype[np.float64]]


def slowest_delays(
    machine: Machine, job: Job, computing: float, steps: int, seed: int
) -> Iterator[Delays]:
    """Yield for each run (steps, groups) seconds by which the slowest worker is late.

    A node's time is `computing` times a factor that stays for the run, log-normal and 1 on average
    over all nodes, plus a delay that is new in each step, exponential, less its mean: on average a
    node is not late.
    A synchronous step takes as long as its slowest worker does. A delay may be negative, where a
    group's only worker is a fast one; no node takes less than no time.

    Parameters
    ----------
    machine, job
        Of them `speed_spread`, `jitter`, and the groups.
    computing
        Seconds of a node's forward and backward, on average.
    steps
        Steps in all; each run has at most `STEPS_OF_RUN` of them.
    seed
        Of the random numbers: equal seeds give equal delays.

    """
    random = np.random.default_rng(seed)
    spread, jitter = machine["speed_spread"], machine["jitter"]
    for first in range(0, steps, STEPS_OF_RUN):
        count = min(STEPS_OF_RUN, steps - first)
        normal = random.standard_normal((job.groups, job.group_size), dtype=np.float32)
        factor = np.exp(np.float32(spread) * normal)
        # Measured was an average node: the average of those drawn takes just as long.
        own = np.float32(computing) * factor / factor.mean()
        delays = np.empty((count, job.groups))
        at_once = max(1, NUMBERS_AT_ONCE // job.workers)
        for start in range(0, count, at_once):
            stop = min(count, start + at_once)
            shape = (stop - start, job.groups, job.group_size)
            late = random.standard_exponential(shape, dtype=np.float32)
            late *= np.float32(jitter)
            late += own - np.float32(jitter)
            delays[start:stop] = late.max(axis=2) - computing
        yield np.maximum(delays, -computing)
