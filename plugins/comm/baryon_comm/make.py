"""From a strategy's options to this rank's communicator."""

from __future__ import annotations

from baryon.interfaces import Communicator
from baryon_comm.options import Options
from baryon_comm.server_rank import ServerRank
from baryon_comm.strategy.strategy import Strategy
from baryon_comm.worker import Worker
from baryon_comm.world.layout import Layout
from baryon_comm.world.world import World


def make(world: World, layout: Layout, strategy: Strategy, options: Options) -> Communicator:
    """A worker or a server, as the layout has it."""
    if layout.is_server(world.rank):
        rank: Communicator = ServerRank(world, layout)
        return rank
    return Worker(world, layout, strategy, options)
