"""Create a group's transport from the options."""

from __future__ import annotations

from typing import Any

import torch

from baryon_comm.group.mpi_transport import MpiTransport
from baryon_comm.group.torch_transport import TorchTransport
from baryon_comm.group.transport import Transport
from baryon_comm.mpi.world import World


def create_transport(
    name: str, wire: str, comm: Any, world: World, device: torch.device
) -> Transport:
    """Return the transport `name` over the ranks of `comm`; `auto` takes NCCL on CUDA devices."""
    bf16 = wire == "bf16"
    if name == "torch" or (name == "auto" and device.type == "cuda"):
        return TorchTransport(comm, device, bf16=bf16, tolerant=world.tolerant)
    return MpiTransport(world.mpi, comm, bf16=bf16)
