"""A server rank as the host sees it: it serves, and has no part in anything else."""

from __future__ import annotations

import time
from typing import Any

from baryon.interfaces import DataShard
from baryon_comm.membership.health_check import Activity, HealthCheck, RankState
from baryon_comm.mpi.layout import Layout
from baryon_comm.mpi.progress_engine import Task
from baryon_comm.mpi.world import World
from baryon_comm.server.server import Server

SECONDS_BETWEEN_POLLS = 1e-3


class ServerRank:
    """A parameter server's rank; see `baryon.interfaces.Communicator`."""

    is_server = True
    is_leader = False
    shard = DataShard()

    def __init__(self, world: World, layout: Layout) -> None:
        self._world, self._layout = world, layout
        state = RankState(Activity.SERVING, "serving")
        health_check = HealthCheck(world.mpi, world.health_channel, lambda: state)
        world.add_poller(health_check.poll)
        # Workers split the world twice, into all workers and into groups; a split is collective.
        world.comm.Split(world.mpi.UNDEFINED, world.rank)
        world.comm.Split(world.mpi.UNDEFINED, world.rank)

    def all_gather_object(self, value: Any) -> list[Any]:
        """Return every rank's value."""
        try:
            values: list[Any] = self._run(self._world.all_gather_object(value))
        except self._world.mpi.Exception as error:
            what = "the exchange at the start"
            raise self._world.communication_error(what, error, self._layout) from error
        return values

    def serve(self) -> None:
        """Serve until all workers have said goodbye or died."""
        Server(self._world, self._layout.workers).serve()

    def abort(self, message: str) -> None:
        """End the job."""
        self._world.abort(message)

    def close(self) -> None:
        """Leave together with all other ranks."""
        self._run(self._world.leave())

    def _run(self, task: Task) -> Any:
        """Run a task to its end in this thread."""
        while True:
            try:
                next(task)
            except StopIteration as end:
                return end.value
            self._world.poll()
            time.sleep(SECONDS_BETWEEN_POLLS)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"a server rank only serves: it has no {name!r}")
