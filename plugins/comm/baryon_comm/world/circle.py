"""A circle: workers that tell each other values. All of them make the same calls in order."""

from __future__ import annotations

from typing import Any, Protocol

from baryon_comm.world.courier import Task
from baryon_comm.world.requests import gathered


class Circle(Protocol):
    """What every circle can do."""

    ranks: list[int]
    """Its members' ranks in the world, as known after the last call of `gather`."""

    def gather(self, value: Any) -> Task:
        """Every member's value in the order of `ranks`, on all members."""
        ...

    def attend(self) -> None:
        """Answer those who ask: to be called often, whatever else the rank does."""
        ...


class FixedCircle:
    """By MPI's own collective: all live, or the job ends."""

    def __init__(self, comm: Any, ranks: list[int]) -> None:
        self._comm, self.ranks = comm, ranks

    def gather(self, value: Any) -> Task:
        """Raises `mpi4py.MPI.Exception` if MPI fails."""
        values = yield from gathered(self._comm, value)
        return values

    def attend(self) -> None:
        """Nobody asks."""
