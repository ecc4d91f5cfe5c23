"""A circle: some ranks that do collectives together, and what is left of it when some die."""

from __future__ import annotations

from typing import Any

from baryon_comm.world.courier import Task
from baryon_comm.world.requests import gathered


class BrokenCircleError(Exception):
    """A member of a circle died; raised on all survivors, who must `mend` it."""


class Circle:
    """A communicator of its own, so that a failure in it harms no other."""

    def __init__(self, mpi: Any, comm: Any, *, tolerant: bool) -> None:
        self._mpi = mpi
        self._tolerant = tolerant
        self.comm = comm
        self.ranks = self._world_ranks()

    @property
    def rank(self) -> int:
        """This rank's place in the circle."""
        return int(self.comm.rank)

    def __len__(self) -> int:
        return int(self.comm.size)

    def gather(self, value: Any) -> Task:
        """Every member's value in order, on all members, or `BrokenCircleError` on all members."""
        if not self._tolerant:
            values = yield from self.raw_gather(value)
            return values
        values = None
        try:
            values = yield from gathered(self.comm, value)
        except self._mpi.Exception:
            self.break_up()
        if not (yield from self._all(values is not None)):
            raise BrokenCircleError
        return values

    def raw_gather(self, value: Any) -> Task:
        """The same where a failure is the end."""
        values = yield from gathered(self.comm, value)
        return values

    def _all(self, well: bool) -> Task:
        """Whether all survivors are well and none has died: the same answer on all of them."""
        yield
        try:
            return bool(self.comm.Agree(int(well)))
        except self._mpi.Exception:
            return False

    def break_up(self) -> None:
        """Make all members notice that it is broken."""
        if not self.comm.Is_revoked():
            self.comm.Revoke()

    @property
    def broken(self) -> bool:
        """Whether a member is known to be dead or has noticed a dead one."""
        return bool(self.comm.Is_revoked()) or self.comm.Get_failed().size > 0

    def mend(self) -> Task:
        """The survivors go on as a smaller circle. All of them must come."""
        self.break_up()
        yield
        smaller = self.comm.Shrink()
        self.comm, self.ranks = smaller, self._world_ranks(smaller)

    def _world_ranks(self, comm: Any = None) -> list[int]:
        mpi = self._mpi
        mine = (self.comm if comm is None else comm).Get_group()
        return list(mpi.Group.Translate_ranks(mine, None, mpi.COMM_WORLD.Get_group()))

    def free(self) -> None:
        """Give the communicator back."""
        if not self._tolerant:
            self.comm.Free()
