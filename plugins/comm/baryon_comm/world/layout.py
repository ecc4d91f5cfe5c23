"""Who is who: workers 0..G*W-1 in G groups of W, then S servers (as in Intel Caffe's)."""

from __future__ import annotations

from dataclasses import dataclass

from baryon.errors import BaryonError


@dataclass(frozen=True)
class Layout:
    """Groups, workers of each group, servers."""

    groups: int
    members: int
    servers: int

    @property
    def workers(self) -> int:
        """All groups' workers."""
        return self.groups * self.members

    def is_server(self, rank: int) -> bool:
        """Servers are the last ranks."""
        return rank >= self.workers

    def group_of(self, worker: int) -> int:
        """The group of a worker's rank."""
        return worker // self.members

    def server_ranks(self) -> range:
        """All servers."""
        return range(self.workers, self.workers + self.servers)

    def role(self, rank: int) -> str:
        """In words."""
        if self.is_server(rank):
            return "parameter server"
        return f"worker of group {self.group_of(rank)}" if self.groups > 1 else "worker"


def lay_out(ranks: int, groups: int, servers: int, strategy: str) -> Layout:
    """Split the ranks. Raises `BaryonError` if they cannot be split so."""
    if groups < 1 or servers < 0:
        raise BaryonError(
            f"comm.groups={groups} must be above 0 and comm.servers={servers} 0 or more"
        )
    if groups > 1 and servers < 1:
        raise BaryonError(
            f"{groups} groups learn from each other through parameter servers: give comm.servers=1 "
            "or more, or one group"
        )
    members, rest = divmod(ranks - servers, groups)
    if members < 1 or rest:
        fitting = [n * groups + servers for n in range(1, 5)]
        raise BaryonError(
            f"comm={strategy} with {groups} groups and {servers} servers does not fit {ranks} "
            f"processes: groups x workers + servers is {', '.join(map(str, fitting))}, ...; start "
            f"it with `mpiexec -n {max(fitting[1], 2)} baryon train ...` or change comm.groups and "
            "comm.servers"
        )
    return Layout(groups, members, servers)
