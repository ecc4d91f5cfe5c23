"""Communicator `sync`: one group, all-reduce at every step."""

from __future__ import annotations

from baryon.interfaces import Communicator
from baryon_comm.factory import create_rank
from baryon_comm.mpi.layout import create_layout
from baryon_comm.mpi.world import World
from baryon_comm.options import Options
from baryon_comm.strategy.all_reduce import AllReduceStrategy


def sync(
    *, transport: str, wire: str, overlap: bool, deadline_s: float, check_every: int
) -> Communicator:
    """Return a worker of the one group of all ranks; see `conf/comm/sync.yaml` for the options.

    Raises `BaryonError` without MPI.
    """
    options = Options(transport, wire, overlap, deadline_s, check_every)
    world = World(options.deadline_s)
    layout = create_layout(world.ranks, 1, 0, "sync")
    return create_rank(world, layout, AllReduceStrategy(), options)
