"""Communicator `local_sgd`: workers train alone and average every so many steps."""

from __future__ import annotations

from baryon.interfaces import Communicator
from baryon_comm.factory import create_rank
from baryon_comm.mpi.layout import create_layout
from baryon_comm.mpi.world import World
from baryon_comm.options import Options
from baryon_comm.strategy.local_sgd import LocalSgdStrategy, OuterOptimizer


def local_sgd(
    *,
    every: int,
    outer_learning_rate: float,
    outer_momentum: float,
    transport: str,
    wire: str,
    deadline_s: float,
    check_every: int,
) -> Communicator:
    """Return a worker among all ranks; see `conf/comm/local_sgd.yaml` for the options.

    Raises `BaryonError` without MPI.
    """
    outer = OuterOptimizer(every, outer_learning_rate, outer_momentum)
    options = Options(transport, wire, True, deadline_s, check_every)
    world = World(options.deadline_s)
    layout = create_layout(world.ranks, 1, 0, "local_sgd")
    return create_rank(world, layout, LocalSgdStrategy(outer), options)
