"""Transport over torch.distributed: NCCL where each rank has a GPU of its own, gloo elsewhere."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import TCPStore

from baryon.terminal.console import warn
from baryon_comm.gradients.bucket import Bucket
from baryon_comm.group.transport import BrokenGroupError
from baryon_comm.mpi.progress_engine import Task
from baryon_comm.mpi.requests import all_gather_object

TIMEOUT = timedelta(days=1)  # the progress engine has deadlines of its own


class TorchTransport:
    """A process group made from the ranks of an MPI communicator."""

    def __init__(self, comm: Any, device: torch.device, *, bf16: bool, tolerant: bool) -> None:
        self._comm, self._device, self._bf16, self._tolerant = comm, device, bf16, tolerant
        self._group: Any = None

    def allreduce(self, bucket: Bucket, total: Bucket) -> Task:
        """Sum where the gradients lie with NCCL; in host memory with gloo."""
        dtype = torch.bfloat16 if self._bf16 else bucket.summed.dtype
        with bucket.side_stream.enqueue():
            if bucket is not total:
                total.summed.copy_(bucket.summed)
            sent = total.summed.to(self._device, dtype)
        try:
            with bucket.side_stream.enqueue():
                work = self._group.allreduce([sent])
            while not work.is_completed():
                self._require_whole_group()
                yield
            with bucket.side_stream.enqueue():
                work.wait()
        except RuntimeError as error:  # what torch raises when a peer has gone
            raise BrokenGroupError(str(error)) from error
        if sent is not total.summed:
            with bucket.side_stream.enqueue():
                total.summed.copy_(sent)
        yield from bucket.side_stream.wait()

    def reduce(self, bucket: Bucket, total: Bucket) -> Task:
        """Use the all-reduce, which NCCL and gloo do best."""
        yield from self.allreduce(bucket, total)

    def _require_whole_group(self) -> None:
        """Raise when a member has died: torch would wait for ranks that wait for the repair."""
        if self._tolerant and self._comm.Is_revoked():
            raise BrokenGroupError

    def connect(self) -> Task:
        """Connect all members through a store on member 0."""
        rank, size = self._comm.rank, self._comm.size
        host = socket.gethostname()
        store = None
        if rank == 0:
            store = TCPStore(host, 0, size, is_master=True, wait_for_workers=False)
        port = store.port if store is not None else 0
        members = yield from all_gather_object(self._comm, (host, port, self._gpu_uuid()))
        store_host, port, _ = members[0]
        if store is None:
            store = TCPStore(store_host, port, size, is_master=False)
        gpus = {gpu for _, _, gpu in members}
        if self._device.type == "cuda" and len(gpus) < size:
            # NCCL refuses two ranks on one GPU.
            self._device = torch.device("cpu")
            if rank == 0:
                warn(f"{size} workers of a group share {len(gpus)} GPUs: gloo sums, not NCCL")
        if self._device.type == "cuda":
            options = dist.ProcessGroupNCCL.Options()
            self._group = dist.ProcessGroupNCCL(store, rank, size, options)
        else:
            self._group = dist.ProcessGroupGloo(store, rank, size, TIMEOUT)

    def _gpu_uuid(self) -> str:
        """Return the UUID of this rank's GPU, unique among all hosts; "" on a CPU."""
        if self._device.type != "cuda":
            return ""
        return str(torch.cuda.get_device_properties(self._device).uuid)

    def close(self) -> None:
        """Release the process group."""
        self._group = None
