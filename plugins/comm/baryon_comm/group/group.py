"""A synchronous group of workers: members go step by step together, member 0 is the root."""

from __future__ import annotations

from typing import Any

import torch

from baryon_comm.group.transport import BrokenGroupError, Transport, chunks, make_transport
from baryon_comm.layers.layer import PRESENT, SAMPLES, Packet
from baryon_comm.world.courier import Task
from baryon_comm.world.requests import finished, gathered
from baryon_comm.world.world import World


class Group:
    """The members of one group, each packet's sum over them, and its root's packet for them."""

    def __init__(self, world: World, comm: Any, transport: str, wire: str) -> None:
        self._world, self._choice = world, (transport, wire)
        self._comm = comm
        self.circle = world.circle(comm)
        self._transport: Transport | None = None
        self._sums: Any = None
        self._spread: Any = None

    @property
    def member(self) -> int:
        """This worker's number in the group."""
        return int(self._comm.rank)

    def __len__(self) -> int:
        return int(self._comm.size)

    @property
    def ranks(self) -> list[int]:
        """The members' ranks in the world."""
        mpi = self._world.mpi
        return list(
            mpi.Group.Translate_ranks(self._comm.Get_group(), None, mpi.COMM_WORLD.Get_group())
        )

    def connect(self, device: torch.device) -> Task:
        """Set up what moves the data. All members do it."""
        self._sums, self._spread = self._comm.Dup(), self._comm.Dup()
        self._transport = make_transport(*self._choice, self._sums, self._world, device)
        yield from self._transport.connect()

    def mend(self, device: torch.device) -> Task:
        """The survivors go on as a smaller group. All of them must come."""
        self.break_up()
        well = False
        while not well:
            self._comm = self._comm.Shrink()
            try:
                yield from self.connect(device)
                well = True
            except (self._world.mpi.Exception, BrokenGroupError):  # one more has died meanwhile
                if not self._world.comes_true(lambda: self.broken):
                    raise
                self._comm.Revoke()
            well = self._all(well)

    def _all(self, well: bool) -> bool:
        """Whether all survivors are well and none has died: the same answer on all of them."""
        try:
            return bool(self._comm.Agree(int(well)))
        except self._world.mpi.Exception:
            return False

    def tell(self, value: Any) -> Task:
        """Every member's value on all of them; fails if one dies."""
        values = yield from gathered(self._comm, value)
        return values

    def mean(self, own: Packet, total: Packet, expected: float | None) -> Task:
        """The gradient's mean over the samples of all members, into `total`.

        Each member has multiplied its own mean by (its samples) / `expected`, so that there is
        nothing left to do after the sum of a full batch. None: it has not, for it is alone.
        """
        yield from self.sum(own, total)
        yield from _per_sample(total, expected)

    def mean_on_root(self, own: Packet, total: Packet, expected: float | None) -> Task:
        """The same where member 0 alone needs it; unless it is alone, the two are not one."""
        if len(self) > 1:
            assert self._transport is not None
            yield from self._transport.reduce(own, total)
        if self.member == 0:
            yield from _per_sample(total, expected)

    def sum(self, own: Packet, total: Packet) -> Task:
        """The sum of all members' packets into `total`; the two may be one."""
        if len(self) > 1:
            assert self._transport is not None
            yield from self._transport.allreduce(own, total)

    def spread(self, packet: Packet, root: int = 0) -> Task:
        """The root's packet on all members."""
        if len(self) > 1:
            yield from finished([self._spread.Ibcast(c, root) for c in chunks(packet.raw)])

    def break_up(self) -> None:
        """Make every member's waiting operations fail."""
        for comm in (self._sums, self._spread, self._comm):
            if not comm.Is_revoked():
                comm.Revoke()

    @property
    def broken(self) -> bool:
        """Whether a member is known to be dead, or another member has noticed a dead one."""
        if not self._world.tolerant:
            return False
        return bool(self._comm.Is_revoked()) or self._comm.Get_failed().size > 0


def _per_sample(total: Packet, expected: float | None) -> Task:
    """What is left to do after the sum, if the batch was not a full one."""
    with total.beside.work():
        samples = float(total.tail[SAMPLES])
        if expected is not None and samples not in (0.0, expected):
            total.values.mul_(expected / samples)
    yield from total.beside.done()


def has_gradient(packet: Packet) -> bool:
    """Whether any member's backward reached the layer."""
    return bool(packet.tail[PRESENT] > 0)
