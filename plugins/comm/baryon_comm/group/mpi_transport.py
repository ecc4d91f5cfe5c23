"""Sums by MPI, in chunks, optionally in bfloat16."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from baryon_comm.group.transport import chunks
from baryon_comm.world.courier import Task
from baryon_comm.world.requests import finished


class MpiTransport:
    """Non-blocking all-reduce; a courier drives it."""

    def __init__(self, mpi: Any, comm: Any, *, bf16: bool) -> None:
        self._mpi, self._comm, self._bf16 = mpi, comm, bf16
        self._sum_bf16 = mpi.Op.Create(_add_bf16, commute=True) if bf16 else None

    def connect(self) -> Task:
        """MPI is connected."""
        return
        yield

    def allreduce(self, tensor: torch.Tensor) -> Task:
        """The sum in place; a float32 tensor travels as bfloat16 if so chosen."""
        if self._bf16 and tensor.dtype == torch.float32:
            yield from self._allreduce_bf16(tensor)
            return
        place = self._mpi.IN_PLACE
        yield from finished([self._comm.Iallreduce(place, c) for c in chunks(tensor.numpy())])

    def _allreduce_bf16(self, tensor: torch.Tensor) -> Task:
        short = tensor.bfloat16().view(torch.uint16).numpy()
        operation, place = self._sum_bf16, self._mpi.IN_PLACE
        yield from finished([self._comm.Iallreduce(place, c, operation) for c in chunks(short)])
        tensor.copy_(torch.from_numpy(short).view(torch.bfloat16))

    def close(self) -> None:
        """Free the operation."""
        if self._sum_bf16 is not None:
            self._sum_bf16.Free()


def _add_bf16(one: Any, other: Any, datatype: Any) -> None:
    """MPI's user function: other += one, both bfloat16 in 16-bit words."""
    del datatype
    left = torch.from_numpy(np.frombuffer(one, np.uint16)).view(torch.bfloat16)
    right = torch.from_numpy(np.frombuffer(other, np.uint16)).view(torch.bfloat16)
    right.add_(left)
