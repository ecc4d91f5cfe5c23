"""What a server rank shows to the host: it serves, and has no part in anything else."""

from __future__ import annotations

import time
from typing import Any

from baryon.interfaces import Share
from baryon_comm.server.server import Server
from baryon_comm.world.courier import Task
from baryon_comm.world.layout import Layout
from baryon_comm.world.world import World

SECONDS_BETWEEN_LOOKS = 1e-3


class ServerRank:
    """A server rank; see `baryon.interfaces.Communicator`."""

    is_server = True
    leads = False
    share = Share()

    def __init__(self, world: World, layout: Layout) -> None:
        self._world, self._layout = world, layout
        world.roll_call.doing = lambda: "serving"
        world.comm.Split(world.mpi.UNDEFINED, world.rank)
        world.comm.Split(world.mpi.UNDEFINED, world.rank)

    def exchange(self, value: Any) -> list[Any]:
        """Over all ranks."""
        try:
            everyone: list[Any] = self._now(self._world.exchange(value))
        except self._world.mpi.Exception as error:
            what = "the roll call at the start"
            raise self._world.failure(what, error, self._layout) from error
        return everyone

    def serve(self) -> None:
        """Until all workers have said farewell or died."""
        Server(self._world, self._layout.workers).serve()

    def abort(self, message: str) -> None:
        """End the job."""
        self._world.abort(message)

    def close(self) -> None:
        """Leave together with all others."""
        self._now(self._world.leave())

    def _now(self, task: Task) -> Any:
        """Do a task to its end in this thread."""
        while True:
            try:
                next(task)
            except StopIteration as end:
                return end.value
            self._world.attend()
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"a server rank only serves: it has no {name!r}")
