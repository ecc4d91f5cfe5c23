"""Draw the seconds of each group's steps, one after the other, for training in virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from baryon.scaling.job import Job
from baryon.scaling.machine import Machine
from baryon.scaling.network import Network
from baryon.scaling.node import node_step
from baryon.scaling.prediction import exposed_communication
from baryon.scaling.sampling import Delays, draw_delays, draw_nodes
from baryon.scaling.servers import place_layers

BLOCK = 64
"""Steps that are drawn at a time."""
BLOCKS_KEPT = 64
"""Groups that are ahead read later blocks than those behind."""


class GroupClock:
    """Tells how long each group's next step takes; the same for equal seeds, to the bit."""

    def __init__(self, machine: Machine, network: Network, job: Job, seed: int) -> None:
        """Draw the nodes' speeds.

        Raises `BaryonError` if there are more servers than layers of the network.
        """
        self._machine, self._seed = machine, seed
        self._node = node_step(machine, network, job.samples, job.workers)
        random = np.random.default_rng([seed, 0])
        self._nodes = draw_nodes(random, machine, job, self._node.computing)
        self._steps = [0] * job.groups
        self._block = lru_cache(BLOCKS_KEPT)(self._draw_block)
        servers = place_layers(machine, network, job.servers) if job.is_hybrid else None
        straggler = float(self._block(0).mean())
        exposed = exposed_communication(machine, network, job, self._node, servers, straggler)
        update = 0.0 if job.is_hybrid else self._node.update
        self._undisturbed = self._node.compute + exposed + update

    def _draw_block(self, number: int) -> Delays:
        # A generator for each block: a resumed run draws those that it needs, not all before.
        random = np.random.default_rng([self._seed, 1 + number])
        return draw_delays(random, self._machine, self._nodes, self._node.computing, BLOCK)

    def next_step(self, group: int) -> float:
        """Return the seconds of a group's next step, its waiting for stragglers included."""
        number, row = divmod(self._steps[group], BLOCK)
        self._steps[group] += 1
        return self._undisturbed + float(self._block(number)[row, group])

    @property
    def steps(self) -> list[int]:
        """Return the number of steps that each group has been given."""
        return list(self._steps)

    def go_on_from(self, steps: Sequence[int]) -> None:
        """Continue where a clock of these steps had stopped."""
        self._steps = list(steps)
