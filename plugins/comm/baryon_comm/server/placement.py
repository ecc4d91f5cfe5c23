"""Which parameter server holds which layer: balanced by size, moved on when a server dies."""

from __future__ import annotations

from collections.abc import Sequence

from baryon.errors import BaryonError
from baryon_comm.gradients.layer import Layer


class Placement:
    """Layers on servers, the same on all ranks: it follows from sizes and from who is dead."""

    def __init__(self, layers: Sequence[Layer], servers: Sequence[int]) -> None:
        if len(servers) > len(layers):
            raise BaryonError(
                f"comm.servers={len(servers)} are more than the model's {len(layers)} layers: a "
                f"layer has one server; give comm.servers={len(layers)} or fewer"
            )
        self._servers = list(servers)
        self._home = _balance([layer.nbytes for layer in layers], len(servers))
        self._failed: set[int] = set()

    def server_of(self, layer: int) -> int:
        """Return the rank that holds a layer: its home, or the home's successor among the living.

        Raises `BaryonError` when no server is alive.
        """
        count = len(self._servers)
        for offset in range(count):
            rank = self._servers[(self._home[layer] + offset) % count]
            if rank not in self._failed:
                return rank
        raise BaryonError(
            "the last parameter server has died, and the optimizer's state with it: go on with "
            "`baryon resume` from the last checkpoint; more comm.servers survive such a death"
        )

    def layers_of(self, server: int) -> list[int]:
        """Return the layers that a server holds."""
        return [n for n in range(len(self._home)) if self.server_of(n) == server]

    def alive(self) -> list[int]:
        """Return the servers not known to be dead."""
        return [rank for rank in self._servers if rank not in self._failed]

    def mark_failed(self, ranks: set[int]) -> None:
        """Move the layers of dead servers to their successors."""
        self._failed |= ranks & set(self._servers)


def _balance(sizes: Sequence[int], servers: int) -> list[int]:
    """Return a server for each layer: the largest layer first, each to the least loaded server."""
    load = [0] * servers
    home = [0] * len(sizes)
    # Largest first (Graham's rule): the small ones then fill the gaps that are left.
    for layer in sorted(range(len(sizes)), key=lambda n: -sizes[n]):
        home[layer] = min(range(servers), key=lambda n: (load[n], n))
        load[home[layer]] += max(1, sizes[layer])
    return home
