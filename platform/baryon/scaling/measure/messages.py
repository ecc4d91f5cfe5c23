"""Time messages of different sizes over the MPI that the processes of a job use."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from baryon.scaling.machine import ALGORITHMS

SIZES = (8, 2**16, 2**20, 2**22)
"""Bytes: the smallest gives the latency, the largest the bandwidth."""
REPEATS = 15


@dataclass(frozen=True)
class Messages:
    """Median seconds by bytes, over all ranks.

    Attributes
    ----------
    ranks : number of processes
    point_to_point : from the first rank to the last
    all_reduce, reduce, broadcast : over all ranks

    """

    ranks: int
    point_to_point: dict[int, float]
    all_reduce: dict[int, float]
    reduce: dict[int, float]
    broadcast: dict[int, float]

    @property
    def latency(self) -> float:
        """Return the seconds of a message without content."""
        return self.point_to_point[SIZES[0]]

    def collectives(self) -> str:
        """Return the algorithm whose time for small sums is nearer to the measured one."""
        hops = {"ring": self.ranks - 1, "tree": int(np.ceil(np.log2(self.ranks)))}
        measured = self.all_reduce[SIZES[0]]
        return min(
            ALGORITHMS, key=lambda name: abs(np.log(2 * hops[name] * self.latency / measured))
        )

    def bandwidth(self) -> float:
        """Return the bytes a second at which large sums are made, in the model of messages."""
        hops = self.ranks - 1 if self.collectives() == "ring" else np.ceil(np.log2(self.ranks))
        moved = 2 * (self.ranks - 1) / self.ranks * SIZES[-1]
        seconds = self.all_reduce[SIZES[-1]] - 2 * hops * self.latency
        # Where sums are sooner done than so many messages, the latency is all there is.
        return float(moved / max(seconds, 0.1 * self.all_reduce[SIZES[-1]]))

    def as_plain(self) -> dict[str, Any]:
        """Return the values for a file."""
        return asdict(self)


def measure_messages() -> Messages:
    """Time messages between all ranks that were started together. Collective."""
    from mpi4py import MPI

    # A communicator of its own: the messages that are timed cannot meet those of the run's
    # communicator.
    world = MPI.COMM_WORLD.Dup()
    try:
        return Messages(
            ranks=world.size,
            # There and back is two messages.
            point_to_point={n: _timed(world, lambda b: _send(world, b), n) / 2 for n in SIZES},
            all_reduce={
                n: _timed(world, lambda b: world.Allreduce(MPI.IN_PLACE, b), n) for n in SIZES
            },
            reduce={n: _timed(world, lambda b: _reduce(world, MPI, b), n) for n in SIZES},
            broadcast={n: _timed(world, lambda b: world.Bcast(b, root=0), n) for n in SIZES},
        )
    finally:
        world.Free()


def _send(world: Any, buffer: Any) -> None:
    """Send from the first rank to the last and back."""
    last = world.size - 1
    if world.rank == 0:
        world.Send(buffer, dest=last)
        world.Recv(buffer, source=last)
    elif world.rank == last:
        world.Recv(buffer, source=0)
        world.Send(buffer, dest=0)


def _reduce(world: Any, mpi: Any, buffer: Any) -> None:
    world.Reduce(mpi.IN_PLACE if world.rank == 0 else buffer, buffer, root=0)


def _timed(world: Any, call: Callable[[Any], None], nbytes: int) -> float:
    """Return the median seconds of a call, of the slowest rank."""
    buffer = np.zeros(nbytes // 4, np.float32)
    seconds = []
    for _ in range(REPEATS + 2):
        world.Barrier()
        started = time.perf_counter()
        call(buffer)
        seconds.append(time.perf_counter() - started)
    # A sum is done when its slowest rank has it.
    return float(max(world.allgather(median(seconds[2:]))))  # the first ones open connections
