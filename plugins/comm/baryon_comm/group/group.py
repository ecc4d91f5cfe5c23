"""A synchronous group of workers: members go step by step together, member 0 is the root."""

from __future__ import annotations

from typing import Any

import torch

from baryon_comm.gradients.bucket import SAMPLES, Bucket
from baryon_comm.group.factory import create_transport
from baryon_comm.group.transport import BrokenGroupError, Transport, chunks
from baryon_comm.mpi.progress_engine import Task
from baryon_comm.mpi.requests import all_gather_object, wait_all
from baryon_comm.mpi.world import World


class Group:
    """The members of one group: sums of buckets over them, broadcasts from one of them."""

    def __init__(self, world: World, comm: Any, transport: str, wire: str) -> None:
        self._world, self._choice = world, (transport, wire)
        self._comm = comm
        self._transport: Transport | None = None
        self._sum_comm: Any = None
        self._broadcast_comm: Any = None

    @property
    def rank(self) -> int:
        """This worker's number in the group."""
        return int(self._comm.rank)

    def __len__(self) -> int:
        return int(self._comm.size)

    @property
    def ranks(self) -> list[int]:
        """The members' ranks in the world."""
        return self._world.world_ranks(self._comm)

    def connect(self, device: torch.device) -> Task:
        """Set up the transport. All members call it."""
        # Sums and broadcasts are posted independently: each needs a communicator of its own.
        self._sum_comm, self._broadcast_comm = self._comm.Dup(), self._comm.Dup()
        self._transport = create_transport(*self._choice, self._sum_comm, self._world, device)
        yield from self._transport.connect()

    def shrink(self, device: torch.device) -> Task:
        """Go on as a smaller group, without the dead. All survivors call it."""
        self.revoke()
        connected = False
        while not connected:
            # Again until all agree: one more may die while the others connect.
            self._comm = self._comm.Shrink()
            try:
                yield from self.connect(device)
                connected = True
            except (self._world.mpi.Exception, BrokenGroupError):  # one more has died meanwhile
                if not self._world.wait_until(lambda: self.is_broken):
                    raise
                self._comm.Revoke()
            connected = self._agree(connected)

    def _agree(self, connected: bool) -> bool:
        """Whether all survivors are connected and none has died: the same answer on all of them."""
        try:
            return bool(self._comm.Agree(int(connected)))
        # One more has died since: the answer must be no, so that all repair the group again.
        except self._world.mpi.Exception:
            return False

    def all_gather_object(self, value: Any) -> Task:
        """Return every member's value on all of them; fails if one dies."""
        values = yield from all_gather_object(self._comm, value)
        return values

    def mean(self, bucket: Bucket, total: Bucket, expected: float | None) -> Task:
        """Put the gradient's mean over the samples of all members into `total`.

        Each member has multiplied its own mean by (its samples) / `expected`, so that the sum over
        a full batch is the mean already. Without `expected` it has not, because it is alone.
        """
        yield from self.sum(bucket, total)
        yield from _correct_sample_count(total, expected)

    def mean_on_root(self, bucket: Bucket, total: Bucket, expected: float | None) -> Task:
        """Put the mean into `total` of member 0 alone; in a group of one the two are the same."""
        if len(self) > 1:
            assert self._transport is not None
            yield from self._transport.reduce(bucket, total)
        if self.rank == 0:
            yield from _correct_sample_count(total, expected)

    def sum(self, bucket: Bucket, total: Bucket) -> Task:
        """Put the sum of all members' buckets into `total`, which may be the same bucket."""
        if len(self) > 1:
            assert self._transport is not None
            yield from self._transport.allreduce(bucket, total)

    def broadcast(self, bucket: Bucket, root: int = 0) -> Task:
        """Put the root's bucket into `bucket` on all members."""
        if len(self) > 1:
            comm = self._broadcast_comm
            yield from wait_all([comm.Ibcast(chunk, root) for chunk in chunks(bucket.raw)])

    def revoke(self) -> None:
        """Make every member's pending operations fail."""
        for comm in (self._sum_comm, self._broadcast_comm, self._comm):
            if not comm.Is_revoked():
                comm.Revoke()

    @property
    def is_broken(self) -> bool:
        """Whether a member is known to be dead, or another member has noticed a dead one."""
        if not self._world.tolerant:
            return False
        return bool(self._comm.Is_revoked()) or self._comm.Get_failed().size > 0


def _correct_sample_count(total: Bucket, expected: float | None) -> Task:
    """Turn the sum into the mean where the batch was not a full one."""
    with total.side_stream.enqueue():
        samples = float(total.tail[SAMPLES])
        if expected is not None and samples not in (0.0, expected):
            total.values.mul_(expected / samples)
    yield from total.side_stream.wait()
