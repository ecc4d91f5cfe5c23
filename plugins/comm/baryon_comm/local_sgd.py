"""Communicator `local_sgd`: workers train by themselves and meet every so many steps."""

from __future__ import annotations

from baryon.interfaces import Communicator
from baryon_comm.make import make
from baryon_comm.options import Options
from baryon_comm.strategy.local_sgd import LocalSgd, Outer
from baryon_comm.world.layout import lay_out
from baryon_comm.world.world import World


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
    """All ranks are workers; see `conf/comm/local_sgd.yaml` for the options.

    Raises `BaryonError` without MPI.
    """
    outer = Outer(every, outer_learning_rate, outer_momentum)
    options = Options(transport, wire, True, deadline_s, check_every)
    world = World(options.deadline_s)
    return make(world, lay_out(world.ranks, 1, 0, "local_sgd"), LocalSgd(outer), options)
