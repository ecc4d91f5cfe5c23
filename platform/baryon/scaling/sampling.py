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
Nodes = np.ndarray[tuple[int, int], np.dtype[np.float32]]


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
    for first in range(0, steps, STEPS_OF_RUN):
        nodes = draw_nodes(random, machine, job, computing)
        yield draw_delays(random, machine, nodes, computing, min(STEPS_OF_RUN, steps - first))


def draw_nodes(random: np.random.Generator, machine: Machine, job: Job, computing: float) -> Nodes:
    """Return (groups, group size) seconds that each node takes, which stay for a run."""
    normal = random.standard_normal((job.groups, job.group_size), dtype=np.float32)
    factor = np.exp(np.float32(machine["speed_spread"]) * normal)
    # Measured was an average node: the average of those drawn takes just as long.
    return np.asarray(np.float32(computing) * factor / factor.mean())


def draw_delays(
    random: np.random.Generator, machine: Machine, nodes: Nodes, computing: float, steps: int
) -> Delays:
    """Return (steps, groups) seconds by which the slowest of each group is late in each step."""
    jitter = np.float32(machine["jitter"])
    delays = np.empty((steps, len(nodes)))
    at_once = max(1, NUMBERS_AT_ONCE // nodes.size)
    for start in range(0, steps, at_once):
        stop = min(steps, start + at_once)
        late = random.standard_exponential((stop - start, *nodes.shape), dtype=np.float32)
        late *= jitter
        late += nodes - jitter
        delays[start:stop] = late.max(axis=2) - computing
    # A step cannot be shorter than nothing, however fast the drawn nodes are.
    return np.maximum(delays, -computing)
