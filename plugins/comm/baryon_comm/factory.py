"""Create this rank's communicator."""

from __future__ import annotations

from baryon.interfaces import Communicator
from baryon_comm.mpi.layout import Layout
from baryon_comm.mpi.world import World
from baryon_comm.options import Options
from baryon_comm.server.rank import ServerRank
from baryon_comm.strategy.base import Strategy
from baryon_comm.worker import Worker


def create_rank(world: World, layout: Layout, strategy: Strategy, options: Options) -> Communicator:
    """Return a worker or a server rank, according to the layout."""
    if layout.is_server(world.rank):
        rank: Communicator = ServerRank(world, layout)
        return rank
    return Worker(world, layout, strategy, options)
