"""Which server holds which layer: spread by size, and moved on when a server dies."""

from __future__ import annotations

from collections.abc import Sequence

from baryon.errors import BaryonError
from baryon_comm.layers.layer import Layer


class Placement:
    """The same on all ranks, for it follows from the layers' sizes and from who is dead."""

    def __init__(self, layers: Sequence[Layer], servers: Sequence[int]) -> None:
        if len(servers) > len(layers):
            raise BaryonError(
                f"comm.servers={len(servers)} are more than the model's {len(layers)} layers: a "
                f"layer has one server; give comm.servers={len(layers)} or fewer"
            )
        self._servers = list(servers)
        self._home = _spread([layer.nbytes for layer in layers], len(servers))
        self._dead: set[int] = set()

    def server_of(self, layer: int) -> int:
        """The rank that holds a layer: its home, or the next server alive.

        Raises `BaryonError` when none is alive.
        """
        count = len(self._servers)
        for further in range(count):
            rank = self._servers[(self._home[layer] + further) % count]
            if rank not in self._dead:
                return rank
        raise BaryonError(
            "the last parameter server has died, and the optimiser's state with it: go on with "
            "`baryon resume` from the last checkpoint; more comm.servers survive such a death"
        )

    def layers_of(self, server: int) -> list[int]:
        """The layers that a server holds."""
        return [n for n in range(len(self._home)) if self.server_of(n) == server]

    def alive(self) -> list[int]:
        """Servers not known to be dead."""
        return [rank for rank in self._servers if rank not in self._dead]

    def bury(self, servers: set[int]) -> None:
        """Note dead servers."""
        self._dead |= servers & set(self._servers)


def _spread(sizes: Sequence[int], servers: int) -> list[int]:
    """Server number of each layer: the largest first, each to the least loaded so far."""
    load = [0] * servers
    home = [0] * len(sizes)
    for layer in sorted(range(len(sizes)), key=lambda n: -sizes[n]):
        home[layer] = min(range(servers), key=lambda n: (load[n], n))
        load[home[layer]] += max(1, sizes[layer])
    return home
