"""When a step ends, given when its gradients are ready: what communication leaves exposed."""

from __future__ import annotations

import numpy as np

from baryon.scaling import messages
from baryon.scaling.job import Job
from baryon.scaling.machine import Machine
from baryon.scaling.network import Network
from baryon.scaling.node import NodeStep
from baryon.scaling.servers import Servers

Waiting = np.ndarray[tuple[int], np.dtype[np.float64]]


def exposed_all_reduce(machine: Machine, network: Network, job: Job, node: NodeStep) -> float:
    """Return the seconds between backward and the last layer's sum, of a group without servers.

    One progress engine sums the layers one after the other, each when its gradient is ready. The
    group's members are all as late as the slowest, which moves this timeline as a whole and so
    changes nothing of what is exposed.
    """
    ready = node.gradient_ready()
    free = 0.0
    for number in reversed(range(len(network.layers))):
        nbytes = network.layers[number].nbytes
        if nbytes:
            start = max(free, float(ready[number]))
            free = start + messages.all_reduce(machine, nbytes, job.group_size)
    return max(0.0, free - node.compute)


def exposed_by_servers(
    machine: Machine, network: Network, job: Job, node: NodeStep, servers: Servers, waiting: Waiting
) -> float:
    """Return the seconds between backward and the last layer's fresh weights, of a hybrid group.

    A layer is summed to the root, sent to its server, waits and is applied there, comes back and is
    broadcast; the root's engine goes on with the next layer once it has sent one.
    """
    ready = node.gradient_ready()
    free, last = 0.0, 0.0
    for number in reversed(range(len(network.layers))):
        nbytes = network.layers[number].nbytes
        if nbytes:
            start = max(free, float(ready[number]))
            inside = messages.to_root(machine, nbytes, job.group_size)
            there = messages.send(machine, nbytes)
            free = start + inside + there
            applied = free + float(waiting[number] + servers.service[number])
            last = max(last, applied + there + inside)
    return max(0.0, last - node.compute)
