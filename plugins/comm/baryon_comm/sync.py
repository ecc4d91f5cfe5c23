"""Communicator `sync`: one group, all-reduce at every step."""

from __future__ import annotations

from baryon.interfaces import Communicator
from baryon_comm.make import make
from baryon_comm.options import Options
from baryon_comm.strategy.all_reduce import AllReduce
from baryon_comm.world.layout import lay_out
from baryon_comm.world.world import World


def sync(
    *, transport: str, wire: str, overlap: bool, deadline_s: float, check_every: int
) -> Communicator:
    """All ranks are workers of one group; see `conf/comm/sync.yaml` for the options.

    Raises `BaryonError` without MPI.
    """
    options = Options(transport, wire, overlap, deadline_s, check_every)
    world = World(options.deadline_s)
    return make(world, lay_out(world.ranks, 1, 0, "sync"), AllReduce(), options)
