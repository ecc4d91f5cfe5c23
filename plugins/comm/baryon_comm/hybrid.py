"""Communicators `hybrid` and `async`: groups learn from each other through parameter servers."""

from __future__ import annotations

from baryon.errors import BaryonError
from baryon.interfaces import Communicator
from baryon_comm.make import make
from baryon_comm.options import Options
from baryon_comm.server.remedies import Remedy
from baryon_comm.strategy.all_reduce import AllReduce
from baryon_comm.strategy.parameter_servers import ParameterServers
from baryon_comm.strategy.strategy import Strategy
from baryon_comm.world.layout import Layout, lay_out
from baryon_comm.world.world import World


def hybrid(
    *,
    groups: int,
    servers: int,
    momentum_correction: bool,
    remedy: str,
    compensation: float,
    max_staleness: int,
    on_death: str,
    transport: str,
    wire: str,
    overlap: bool,
    deadline_s: float,
    check_every: int,
) -> Communicator:
    """`groups` synchronous groups and `servers`; see `conf/comm/hybrid.yaml` for the options.

    One group without servers is `sync`. Raises `BaryonError` without MPI, or if the ranks cannot
    be split so.
    """
    options = Options(transport, wire, overlap, deadline_s, check_every, on_death)
    late = Remedy(remedy, compensation, max_staleness)
    world = World(options.deadline_s)
    with world.said_once():
        layout = lay_out(world.ranks, groups, servers, "hybrid")
    return make(world, layout, _strategy(layout, late, momentum_correction), options)


def asynchronous(
    *,
    servers: int,
    momentum_correction: bool,
    remedy: str,
    compensation: float,
    max_staleness: int,
    overlap: bool,
    deadline_s: float,
) -> Communicator:
    """Every worker is a group of its own; see `conf/comm/async.yaml` for the options.

    Raises `BaryonError` without MPI or without a server.
    """
    options = Options("mpi", "fp32", overlap, deadline_s, check_every=0)
    late = Remedy(remedy, compensation, max_staleness)
    if servers < 1:
        raise BaryonError(
            "comm=async learns through parameter servers: give comm.servers=1 or more"
        )
    world = World(options.deadline_s)
    with world.said_once():
        if world.ranks <= servers:
            raise BaryonError(
                f"comm=async with comm.servers={servers} does not fit {world.ranks} processes: "
                f"workers + servers; start it with `mpiexec -n {servers + 2} baryon train ...`"
            )
        layout = lay_out(world.ranks, world.ranks - servers, servers, "async")
    return make(world, layout, _strategy(layout, late, momentum_correction), options)


def _strategy(layout: Layout, remedy: Remedy, momentum_correction: bool) -> Strategy:
    if layout.servers == 0:
        return AllReduce()
    return ParameterServers(remedy, momentum_correction=momentum_correction)
