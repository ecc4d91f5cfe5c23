"""Gather picklable values of a fixed set of workers on all of them."""

from __future__ import annotations

from typing import Any, Protocol

from baryon_comm.membership.fault_tolerant_gather import FaultTolerantGather
from baryon_comm.mpi.progress_engine import Task
from baryon_comm.mpi.requests import all_gather_object
from baryon_comm.mpi.world import World


class ObjectGather(Protocol):
    """An all-gather of objects. All members make the same calls in the same order."""

    ranks: list[int]
    """World ranks of the members, as known after the last call of `gather`."""

    def gather(self, value: Any) -> Task:
        """Return every member's value in the order of `ranks`, on all members."""
        ...


class MpiObjectGather:
    """All-gather by MPI's own collective: all members live, or the job ends."""

    def __init__(self, comm: Any, ranks: list[int]) -> None:
        self._comm, self.ranks = comm, ranks

    def gather(self, value: Any) -> Task:
        """Return all values. Raises `mpi4py.MPI.Exception` if MPI fails."""
        values = yield from all_gather_object(self._comm, value)
        return values


def create_object_gather(world: World, comm: Any) -> ObjectGather:
    """Return an all-gather over the ranks of `comm` that outlives members where MPI allows it."""
    ranks = world.world_ranks(comm)
    if not world.tolerant:
        return MpiObjectGather(comm, ranks)
    gather = FaultTolerantGather(
        world.mpi, world.gather_channel, world.new_gather_tag(), ranks, world.failed_ranks
    )
    world.add_poller(gather.poll)
    return gather
