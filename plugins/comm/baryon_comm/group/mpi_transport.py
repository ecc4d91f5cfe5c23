"""Sums by MPI, in chunks, optionally in bfloat16."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from baryon_comm.group.transport import chunks
from baryon_comm.layers.layer import Packet
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

    def allreduce(self, own: Packet, total: Packet) -> Task:
        """In the host's memory; float32 numbers travel as bfloat16 if so chosen."""
        short = self._bf16 and own.summed.dtype == torch.float32
        with own.beside.work():
            sent = own.summed.to("cpu", torch.bfloat16 if short else own.summed.dtype)
        if sent is own.summed and total is not own:
            yield from self._sum(sent, total.summed)
            return
        yield from self._sum(sent, None)
        if sent is not total.summed:
            with own.beside.work():
                total.summed.copy_(sent)
            yield from own.beside.done()

    def reduce(self, own: Packet, total: Packet) -> Task:
        """One message where there are two members: half of what an all-reduce moves."""
        if self._comm.size != 2 or self._bf16 or not own.in_host:
            yield from self.allreduce(own, total)
        elif self._comm.rank:
            yield from finished([self._comm.Isend(_numbers(own.summed), 0)])
        else:
            yield from finished([self._comm.Irecv(_numbers(total.summed), 1)])
            total.summed.add_(own.summed)

    def _sum(self, sent: torch.Tensor, total: torch.Tensor | None) -> Task:
        """Into `total`; in place without one."""
        sources = chunks(_numbers(sent))
        if total is None:
            pairs = [(self._mpi.IN_PLACE, chunk) for chunk in sources]
        else:
            pairs = list(zip(sources, chunks(_numbers(total)), strict=True))
        operation = self._sum_bf16 if sent.dtype == torch.bfloat16 else self._mpi.SUM
        yield from finished([self._comm.Iallreduce(s, to, operation) for s, to in pairs])

    def close(self) -> None:
        """Free the operation."""
        if self._sum_bf16 is not None:
            self._sum_bf16.Free()


def _numbers(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """Its memory; NumPy has no bfloat16."""
    short = tensor.dtype == torch.bfloat16
    array: np.ndarray[Any, Any] = (tensor.view(torch.uint16) if short else tensor).numpy()
    return array


def _add_bf16(one: Any, other: Any, datatype: Any) -> None:
    """MPI's user function: other += one, both bfloat16 in 16-bit words."""
    del datatype
    left = torch.from_numpy(np.frombuffer(one, np.uint16)).view(torch.bfloat16)
    right = torch.from_numpy(np.frombuffer(other, np.uint16)).view(torch.bfloat16)
    right.add_(left)
