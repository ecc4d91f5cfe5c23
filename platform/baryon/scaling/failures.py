"""What failing nodes cost a job: survival, the best interval of checkpoints, time lost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from baryon.scaling.job import Job
from baryon.scaling.machine import Machine
from baryon.scaling.network import Network

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Failures:
    """What failures do to a job.

    Attributes
    ----------
    survival : probability that the job, as one start, is still there after its hours
    checkpoint_seconds : seconds between two checkpoints that lose least (Young, Daly)
    loss : share of the time that is lost to failures and to checkpoints

    """

    survival: float
    checkpoint_seconds: float
    loss: float


def failures(machine: Machine, network: Network, job: Job, step: float, hours: float) -> Failures:
    """Return what failures cost a job of so many hours, whose nodes fail independently.

    A synchronous job ends with its first node, and is started again from its last checkpoint. A
    hybrid one goes on: a group stands still while it shrinks and repeats its step, and works with
    fewer nodes until the end; it ends when the last server does.
    """
    nodes = job.workers + job.servers
    between = machine["node_mtbf"] * SECONDS_PER_HOUR / nodes
    write = network.checkpoint_bytes / machine["checkpoint_bandwidth"]
    # Young, CACM 17 (1974) 530; Daly, FGCS 22 (2006) 303: sqrt(2 x cost x time between failures).
    interval = math.sqrt(2 * write * between)
    if job.checkpoint_every:
        interval = job.checkpoint_every * step
    saving = write / (interval + write)
    if job.is_hybrid:
        # 1 - exp(-x) would lose its digits for the small x of a short job.
        node_dies = -math.expm1(-hours / machine["node_mtbf"])
        # Layers of a dead server go to another one: only without any server the job has ended.
        survival = 1 - node_dies**job.servers
        # Only one of the groups stands still for a failure. A dead node is missing from its death
        # to the end, on average half of the time.
        lost = (machine["shrink"] + step) / (between * job.groups) + node_dies / 2
    else:
        survival = math.exp(-hours * SECONDS_PER_HOUR / between)
        # A failure comes on average in the middle between two checkpoints.
        lost = (interval / 2 + machine["restart"]) / between
    return Failures(survival, interval, min(1.0, saving + lost))
