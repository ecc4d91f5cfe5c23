"""Roles of the ranks: workers 0..G*W-1 in G groups of W, then S servers (as in Intel Caffe)."""

from __future__ import annotations

from dataclasses import dataclass

from baryon.errors import BaryonError


@dataclass(frozen=True)
class Layout:
    """The number of groups, of workers in each group, and of parameter servers."""

    num_groups: int
    group_size: int
    num_servers: int

    @property
    def workers(self) -> int:
        """Number of workers in all groups."""
        return self.num_groups * self.group_size

    def is_server(self, rank: int) -> bool:
        """Whether a rank is a parameter server: servers are the last ranks."""
        return rank >= self.workers

    def group_of(self, worker: int) -> int:
        """Return the group of a worker, given its rank."""
        return worker // self.group_size

    def server_ranks(self) -> range:
        """Return the ranks of all parameter servers."""
        return range(self.workers, self.workers + self.num_servers)

    def role(self, rank: int) -> str:
        """Return the role of a rank in words."""
        if self.is_server(rank):
            return "parameter server"
        return f"worker of group {self.group_of(rank)}" if self.num_groups > 1 else "worker"


def create_layout(ranks: int, groups: int, servers: int, strategy: str) -> Layout:
    """Assign roles to `ranks` processes. Raises `BaryonError` if the numbers do not fit."""
    if groups < 1 or servers < 0:
        raise BaryonError(
            f"comm.groups={groups} must be above 0 and comm.servers={servers} 0 or more"
        )
    if groups > 1 and servers < 1:
        raise BaryonError(
            f"{groups} groups learn from each other through parameter servers: give comm.servers=1 "
            "or more, or one group"
        )
    group_size, remainder = divmod(ranks - servers, groups)
    if group_size < 1 or remainder:
        fitting = [n * groups + servers for n in range(1, 5)]
        raise BaryonError(
            f"comm={strategy} with {groups} groups and {servers} servers does not fit {ranks} "
            f"processes: groups x workers + servers is {', '.join(map(str, fitting))}, ...; start "
            f"it with `mpiexec -n {max(fitting[1], 2)} baryon train ...` or change comm.groups and "
            "comm.servers"
        )
    return Layout(groups, group_size, servers)
