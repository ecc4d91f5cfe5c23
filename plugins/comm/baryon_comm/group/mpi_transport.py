"""Transport over MPI: sums in chunks, optionally in bfloat16."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from baryon_comm.gradients.bucket import Bucket
from baryon_comm.group.transport import chunks
from baryon_comm.mpi.progress_engine import Task
from baryon_comm.mpi.requests import wait_all


class MpiTransport:
    """Non-blocking all-reduce, driven by the progress engine."""

    def __init__(self, mpi: Any, comm: Any, *, bf16: bool) -> None:
        self._mpi, self._comm, self._bf16 = mpi, comm, bf16
        self._sum_bf16 = mpi.Op.Create(_add_bf16, commute=True) if bf16 else None

    def connect(self) -> Task:
        """No-op: MPI is connected."""
        return
        yield

    def allreduce(self, bucket: Bucket, total: Bucket) -> Task:
        """Sum in host memory; float32 numbers travel as bfloat16 with `comm.wire=bf16`."""
        as_bf16 = self._bf16 and bucket.summed.dtype == torch.float32
        with bucket.side_stream.enqueue():
            sent = bucket.summed.to("cpu", torch.bfloat16 if as_bf16 else bucket.summed.dtype)
        if sent is bucket.summed and total is not bucket:
            yield from self._sum(sent, total.summed)
            return
        yield from self._sum(sent, None)
        if sent is not total.summed:
            with bucket.side_stream.enqueue():
                total.summed.copy_(sent)
            yield from bucket.side_stream.wait()

    def reduce(self, bucket: Bucket, total: Bucket) -> Task:
        """Send one message where there are two members: half of what an all-reduce moves.

        Larger groups use the all-reduce, though only member 0 needs the sum: Open MPI's
        non-blocking reduce (5.0.11) takes many small rounds, each of which waits until both sides
        poll again; a step of 95 ms became one of 297 ms.
        """
        if self._comm.size != 2 or self._bf16 or not bucket.is_on_host:
            yield from self.allreduce(bucket, total)
        elif self._comm.rank:
            yield from wait_all([self._comm.Isend(_as_array(bucket.summed), 0)])
        else:
            yield from wait_all([self._comm.Irecv(_as_array(total.summed), 1)])
            total.summed.add_(bucket.summed)

    def _sum(self, sent: torch.Tensor, total: torch.Tensor | None) -> Task:
        """Sum into `total`; in place without one."""
        sources = chunks(_as_array(sent))
        if total is None:
            pairs = [(self._mpi.IN_PLACE, chunk) for chunk in sources]
        else:
            pairs = list(zip(sources, chunks(_as_array(total)), strict=True))
        operation = self._sum_bf16 if sent.dtype == torch.bfloat16 else self._mpi.SUM
        yield from wait_all([self._comm.Iallreduce(s, t, operation) for s, t in pairs])

    def close(self) -> None:
        """Free the bfloat16 sum."""
        if self._sum_bf16 is not None:
            self._sum_bf16.Free()


def _as_array(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """Return the tensor's memory as an array; NumPy has no bfloat16, so that is uint16."""
    is_bf16 = tensor.dtype == torch.bfloat16
    array: np.ndarray[Any, Any] = (tensor.view(torch.uint16) if is_bf16 else tensor).numpy()
    return array


def _add_bf16(source: Any, target: Any, datatype: Any) -> None:
    """MPI user function: target += source, both bfloat16 in 16-bit words."""
    del datatype
    addend = torch.from_numpy(np.frombuffer(source, np.uint16)).view(torch.bfloat16)
    total = torch.from_numpy(np.frombuffer(target, np.uint16)).view(torch.bfloat16)
    total.add_(addend)
