"""A synchronous group of workers: members go step by step together, member 0 is the root."""

from __future__ import annotations

from typing import Any

import torch

from baryon_comm.group.transport import Transport, chunks, make_transport
from baryon_comm.layers.layer import PRESENT, SAMPLES, Packet
from baryon_comm.world.circle import Circle
from baryon_comm.world.courier import Task
from baryon_comm.world.requests import finished
from baryon_comm.world.world import World


class Group:
    """The members of one group, each packet's sum over them, and its root's packet for them."""

    def __init__(self, world: World, comm: Any, transport: str, wire: str) -> None:
        self._world, self._choice = world, (transport, wire)
        self.circle = Circle(world.mpi, comm, tolerant=world.tolerant)
        self._transport: Transport | None = None
        self._sums: Any = None
        self._spread: Any = None

    @property
    def member(self) -> int:
        """This worker's number in the group."""
        return self.circle.rank

    def __len__(self) -> int:
        return len(self.circle)

    def connect(self, device: torch.device) -> Task:
        """Set up (again) what moves the data. All members do it."""
        self._sums, self._spread = self.circle.comm.Dup(), self.circle.comm.Dup()
        self._transport = make_transport(*self._choice, self._sums, self._world.mpi, device)
        yield from self._transport.connect()

    def mean(self, packet: Packet, expected: float | None) -> Task:
        """The gradient's mean over the samples of all members, in place.

        Each member has multiplied its own mean by (its samples) / `expected`, so that there is
        nothing left to do after the sum of a full batch. None: it has not, for it is alone.
        """
        yield from self.sum(packet.summed)
        samples = float(packet.tail[SAMPLES])
        if expected is not None and samples not in (0.0, expected):
            packet.values.mul_(expected / samples)

    def sum(self, values: torch.Tensor) -> Task:
        """The sum over the members, in place."""
        if len(self) > 1:
            assert self._transport is not None
            yield from self._transport.allreduce(values)

    def spread(self, packet: Packet, root: int = 0) -> Task:
        """The root's packet on all members."""
        if len(self) > 1:
            yield from finished([self._spread.Ibcast(c, root) for c in chunks(packet.raw)])

    def break_up(self) -> None:
        """Make every member's waiting operations fail."""
        for comm in (self._sums, self._spread):
            if not comm.Is_revoked():
                comm.Revoke()
        self.circle.break_up()

    @property
    def broken(self) -> bool:
        """Whether a member is known to have died."""
        return self._world.tolerant and self.circle.broken


def has_gradient(packet: Packet) -> bool:
    """Whether any member's backward reached the layer."""
    return bool(packet.tail[PRESENT] > 0)
