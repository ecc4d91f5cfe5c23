"""Communicators `hybrid` and `async`: groups train asynchronously through parameter servers."""

from __future__ import annotations

from baryon.errors import BaryonError
from baryon.interfaces import Communicator
from baryon_comm.factory import create_rank
from baryon_comm.mpi.layout import Layout, create_layout
from baryon_comm.mpi.world import World
from baryon_comm.options import Options
from baryon_comm.server.staleness import StalenessPolicy
from baryon_comm.strategy.all_reduce import AllReduceStrategy
from baryon_comm.strategy.base import Strategy
from baryon_comm.strategy.parameter_server import ParameterServerStrategy


def hybrid(
    *,
    groups: int,
    servers: int,
    momentum_correction: bool,
    staleness_policy: str,
    compensation: float,
    max_staleness: int,
    on_death: str,
    transport: str,
    wire: str,
    overlap: bool,
    deadline_s: float,
    check_every: int,
) -> Communicator:
    """Return a rank of `groups` synchronous groups and `servers` parameter servers.

    See `conf/comm/hybrid.yaml` for the options.

    One group without servers is `sync`. Raises `BaryonError` without MPI, or if the ranks cannot
    be split so.
    """
    options = Options(transport, wire, overlap, deadline_s, check_every, on_death)
    policy = StalenessPolicy(staleness_policy, compensation, max_staleness)
    world = World(options.deadline_s)
    # All ranks find the same mistake; one of them says it.
    with world.report_once():
        layout = create_layout(world.ranks, groups, servers, "hybrid")
    return create_rank(world, layout, _strategy(layout, policy, momentum_correction), options)


def asynchronous(
    *,
    servers: int,
    momentum_correction: bool,
    staleness_policy: str,
    compensation: float,
    max_staleness: int,
    overlap: bool,
    deadline_s: float,
) -> Communicator:
    """Return a rank of a run in which every worker is a group of its own.

    See `conf/comm/async.yaml` for the options.

    Raises `BaryonError` without MPI or without a server.
    """
    options = Options("mpi", "fp32", overlap, deadline_s, check_every=0)
    policy = StalenessPolicy(staleness_policy, compensation, max_staleness)
    # Before MPI starts, which on some machines takes seconds.
    if servers < 1:
        raise BaryonError(
            "comm=async learns through parameter servers: give comm.servers=1 or more"
        )
    world = World(options.deadline_s)
    with world.report_once():
        if world.ranks <= servers:
            raise BaryonError(
                f"comm=async with comm.servers={servers} does not fit {world.ranks} processes: "
                f"workers + servers; start it with `mpiexec -n {servers + 2} baryon train ...`"
            )
        layout = create_layout(world.ranks, world.ranks - servers, servers, "async")
    return create_rank(world, layout, _strategy(layout, policy, momentum_correction), options)


def _strategy(layout: Layout, policy: StalenessPolicy, momentum_correction: bool) -> Strategy:
    if layout.num_servers == 0:
        return AllReduceStrategy()
    return ParameterServerStrategy(policy, momentum_correction=momentum_correction)
