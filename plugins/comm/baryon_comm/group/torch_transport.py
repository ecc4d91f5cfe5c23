"""Sums by torch.distributed over the same ranks: NCCL for CUDA tensors, gloo for others."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import TCPStore

from baryon_comm.group.transport import BrokenGroupError
from baryon_comm.world.courier import Task
from baryon_comm.world.requests import gathered

TIMEOUT = timedelta(days=1)  # the courier has deadlines of its own


class TorchTransport:
    """A process group made anew from the ranks of an MPI communicator."""

    def __init__(self, comm: Any, device: torch.device, *, bf16: bool, tolerant: bool) -> None:
        self._comm, self._device, self._bf16, self._tolerant = comm, device, bf16, tolerant
        self._group: Any = None

    def allreduce(self, tensor: torch.Tensor) -> Task:
        """The sum in place; by way of the GPU where there is one."""
        sent = tensor.to(self._device, torch.bfloat16 if self._bf16 else tensor.dtype)
        try:
            work = self._group.allreduce([sent])
            while not work.is_completed():
                self._require_whole_group()
                yield
            work.wait()
        except RuntimeError as error:  # torch's word for a peer that has gone
            raise BrokenGroupError(str(error)) from error
        if sent is not tensor:
            tensor.copy_(sent)

    def _require_whole_group(self) -> None:
        """Torch would wait for those who wait for the group to be mended."""
        if self._tolerant and self._comm.Is_revoked():
            raise BrokenGroupError

    def connect(self) -> Task:
        """All members meet at a store of member 0."""
        rank, size = self._comm.rank, self._comm.size
        host = socket.gethostname()
        store = None
        if rank == 0:
            store = TCPStore(host, 0, size, is_master=True, wait_for_workers=False)
        port = store.port if store is not None else 0
        where, port = (yield from gathered(self._comm, (host, port)))[0]
        if store is None:
            store = TCPStore(where, port, size, is_master=False)
        if self._device.type == "cuda":
            options = dist.ProcessGroupNCCL.Options()
            self._group = dist.ProcessGroupNCCL(store, rank, size, options)
        else:
            self._group = dist.ProcessGroupGloo(store, rank, size, TIMEOUT)

    def close(self) -> None:
        """Let the process group go."""
        self._group = None
