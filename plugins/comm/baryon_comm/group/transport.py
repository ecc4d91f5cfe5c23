"""How a group sums tensors and spreads packets: what every transport can do, and the choice."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch

from baryon.errors import BaryonError, one_of
from baryon_comm.layers.layer import Packet
from baryon_comm.world.courier import Task
from baryon_comm.world.world import World

TRANSPORTS = ("auto", "mpi", "torch")
WIRES = ("fp32", "bf16")


class BrokenGroupError(Exception):
    """A member has died: the others must mend the group, in which each waits for all others."""


class Transport(Protocol):
    """Moves data among the members of one group."""

    def connect(self) -> Task:
        """Before the first use; all members do it."""
        ...

    def allreduce(self, own: Packet, total: Packet) -> Task:
        """Put the sum of every member's `own` into `total`, on all of them; the two may be one.

        Raises `BrokenGroupError`, or MPI's own error, if one of them has died.
        """
        ...

    def reduce(self, own: Packet, total: Packet) -> Task:
        """The same where member 0 alone needs the sum; the two packets are not one."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


def make_transport(
    name: str, wire: str, comm: Any, world: World, device: torch.device
) -> Transport:
    """The transport of that name on the ranks of `comm`; `auto` takes NCCL where there is CUDA."""
    from baryon_comm.group.mpi_transport import MpiTransport
    from baryon_comm.group.torch_transport import TorchTransport

    bf16 = wire == "bf16"
    if name == "torch" or (name == "auto" and device.type == "cuda"):
        return TorchTransport(comm, device, bf16=bf16, tolerant=world.tolerant)
    return MpiTransport(world.mpi, comm, bf16=bf16)


def check_transport(name: str, wire: str) -> None:
    """Raise `BaryonError` for one that does not exist."""
    if name not in TRANSPORTS:
        raise BaryonError(f"comm.transport={name} is not known; {one_of(TRANSPORTS, name)}")
    if wire not in WIRES:
        raise BaryonError(f"comm.wire={wire} is not known; {one_of(WIRES, wire)}")


def chunks(array: np.ndarray[Any, Any], nbytes: int = 2**20) -> list[np.ndarray[Any, Any]]:
    """Pieces of a flat array: large messages are up to twice as fast in pieces of 1 MiB."""
    step = max(1, nbytes // array.itemsize)
    return [array[start : start + step] for start in range(0, len(array), step)]
