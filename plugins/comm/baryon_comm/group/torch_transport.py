"""Sums by torch.distributed over the same ranks: NCCL where each has a GPU, gloo elsewhere."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import TCPStore

from baryon.reporting.console import warn
from baryon_comm.group.transport import BrokenGroupError
from baryon_comm.layers.layer import Packet
from baryon_comm.world.courier import Task
from baryon_comm.world.requests import gathered

TIMEOUT = timedelta(days=1)  # the courier has deadlines of its own


class TorchTransport:
    """A process group made anew from the ranks of an MPI communicator."""

    def __init__(self, comm: Any, device: torch.device, *, bf16: bool, tolerant: bool) -> None:
        self._comm, self._device, self._bf16, self._tolerant = comm, device, bf16, tolerant
        self._group: Any = None

    def allreduce(self, own: Packet, total: Packet) -> Task:
        """Where the gradients lie, if NCCL sums; in the host's memory if gloo does."""
        dtype = torch.bfloat16 if self._bf16 else own.summed.dtype
        with own.beside.work():
            if own is not total:
                total.summed.copy_(own.summed)
            sent = total.summed.to(self._device, dtype)
        try:
            with own.beside.work():
                work = self._group.allreduce([sent])
            while not work.is_completed():
                self._require_whole_group()
                yield
            with own.beside.work():
                work.wait()
        except RuntimeError as error:  # torch's word for a peer that has gone
            raise BrokenGroupError(str(error)) from error
        if sent is not total.summed:
            with own.beside.work():
                total.summed.copy_(sent)
        yield from own.beside.done()

    def reduce(self, own: Packet, total: Packet) -> Task:
        """NCCL's and gloo's all-reduce are at their best here."""
        yield from self.allreduce(own, total)

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
        everyone = yield from gathered(self._comm, (host, port, self._gpu()))
        where, port, _ = everyone[0]
        if store is None:
            store = TCPStore(where, port, size, is_master=False)
        gpus = [gpu for _, _, gpu in everyone]
        if self._device.type == "cuda" and len(set(gpus)) < size:
            self._device = torch.device("cpu")
            if rank == 0:
                warn(f"{size} workers of a group share {len(set(gpus))} GPUs: gloo sums, not NCCL")
        if self._device.type == "cuda":
            options = dist.ProcessGroupNCCL.Options()
            self._group = dist.ProcessGroupNCCL(store, rank, size, options)
        else:
            self._group = dist.ProcessGroupGloo(store, rank, size, TIMEOUT)

    def _gpu(self) -> str:
        """Which GPU of all hosts; NCCL wants one for each rank."""
        if self._device.type != "cuda":
            return ""
        return str(torch.cuda.get_device_properties(self._device).uuid)

    def close(self) -> None:
        """Let the process group go."""
        self._group = None
