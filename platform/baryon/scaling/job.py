"""A job whose scaling is predicted: how many workers in which groups, with how many samples."""

from __future__ import annotations

from dataclasses import dataclass

from baryon.errors import BaryonError

SYNC, HYBRID = "sync", "hybrid"
COMMUNICATORS = (SYNC, HYBRID)


@dataclass(frozen=True)
class Job:
    """Workers in equal groups; parameter servers come on top.

    Attributes
    ----------
    workers : nodes that train
    groups : groups of workers, asynchronous to one another
    servers : nodes that are parameter servers; 0 with `sync`
    samples : samples of one worker in a step
    checkpoint_every : steps between two checkpoints; 0 for none

    """

    workers: int
    groups: int = 1
    servers: int = 0
    samples: float = 8
    checkpoint_every: int = 0

    def __post_init__(self) -> None:
        if self.workers < 1 or self.groups < 1 or self.servers < 0:
            raise BaryonError(
                f"nodes={self.workers} and groups={self.groups} must be above 0, "
                f"servers={self.servers} 0 or more"
            )
        if self.workers % self.groups:
            fewer = self.workers - self.workers % self.groups
            fitting = [n for n in (fewer, fewer + self.groups) if n]
            raise BaryonError(
                f"groups={self.groups} do not fit nodes={self.workers}, which are the workers "
                f"without servers: give nodes={' or '.join(map(str, fitting))}"
            )
        if self.groups > 1 and not self.servers:
            raise BaryonError(
                f"{self.groups} groups learn from each other through parameter servers: give "
                "servers=1 or more"
            )
        if self.samples <= 0:
            raise BaryonError(
                "a worker needs a sample in each step: give fewer nodes or more batch"
            )

    @property
    def group_size(self) -> int:
        """Return the number of workers in a group."""
        return self.workers // self.groups

    @property
    def is_hybrid(self) -> bool:
        """Whether optimizers are on servers."""
        return self.servers > 0

    @property
    def comm(self) -> str:
        """Return the communicator that runs such a job."""
        return HYBRID if self.is_hybrid else SYNC
