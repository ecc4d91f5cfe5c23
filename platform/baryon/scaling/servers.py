"""Parameter servers: which layer is on which, how loaded they are, how long a gradient waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from baryon.errors import BaryonError
from baryon.scaling.machine import Machine
from baryon.scaling.network import Network


@dataclass(frozen=True)
class Servers:
    """The servers of a job.

    Attributes
    ----------
    service : seconds in which the gradient of each layer is applied
    home : number of the server that holds each layer
    work : seconds of work that one step of one group makes for each server

    """

    service: np.ndarray[tuple[int], np.dtype[np.float64]]
    home: np.ndarray[tuple[int], np.dtype[np.int64]]
    work: np.ndarray[tuple[int], np.dtype[np.float64]]

    def load(self, groups: int, step_seconds: float) -> float:
        """Return the share of its time that the busiest server works."""
        return min(1.0, groups * float(self.work.max()) / step_seconds)

    def waiting(
        self, groups: int, step_seconds: float
    ) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Return the mean seconds for which each layer's gradient waits for those before it.

        Arrivals of independent groups at a server of constant service: M/D/1 (Pollaczek and
        Khinchine), of which a group itself is no part; never longer than if all others were first.
        """
        others = (groups - 1) * self.work
        # At a load of 1 the formula has its pole; beyond it no queue is steady, and the bound below
        # holds.
        utilisation = np.minimum(others / step_seconds, 1 - 1e-9)
        mean = self.work * utilisation / (2 * (1 - utilisation))
        return np.asarray(np.minimum(mean, others)[self.home])


def place_layers(machine: Machine, network: Network, servers: int) -> Servers:
    """Spread the layers over the servers by size, as the communicator `hybrid` does.

    Raises `BaryonError` if there are more servers than layers.
    """
    sizes = [layer.nbytes for layer in network.layers if layer.parameters]
    if servers > len(sizes):
        raise BaryonError(
            f"servers={servers} are more than the {len(sizes)} layers of network "
            f"{network.name!r}, each of which has one server: give servers={len(sizes)} or fewer"
        )
    home = np.array(_balance([layer.nbytes for layer in network.layers], servers))
    service = np.array([layer.nbytes / machine["server_bandwidth"] for layer in network.layers])
    work = np.bincount(home, service, minlength=servers).astype(np.float64)
    return Servers(service, home, work)


def _balance(sizes: Sequence[int], servers: int) -> list[int]:
    """Return a server for each layer: the largest layer first, each to the least loaded server."""
    load = [0] * servers
    home = [0] * len(sizes)
    for layer in sorted(range(len(sizes)), key=lambda n: -sizes[n]):
        home[layer] = min(range(servers), key=lambda n: (load[n], n))
        # Layers without weights count as one byte, as at the placement of `hybrid`.
        load[home[layer]] += max(1, sizes[layer])
    return home
