"""Transport over torch.distributed: NCCL where each rank has a GPU of its own, gloo elsewhere."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path
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
LOOPBACK = "127.0.0.1"


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
            # Polled, where `wait` would hold the progress engine: other layers are exchanged
            # meanwhile.
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
        """Connect all members through a store on member 0.

        On one machine the store and gloo listen on the loopback interface alone.
        """
        rank, size = self._comm.rank, self._comm.size
        member = (socket.gethostname(), _network_of_this_process(), self._gpu_uuid())
        members = yield from all_gather_object(self._comm, member)
        on_one_machine = len({network for _, network, _ in members}) == 1
        store_host = LOOPBACK if on_one_machine else members[0][0]
        store = _listening_store(store_host, size) if rank == 0 else None
        ports = yield from all_gather_object(self._comm, store.port if store is not None else 0)
        if store is None:
            store = TCPStore(store_host, ports[0], size, is_master=False)
        gpus = {gpu for _, _, gpu in members}
        if self._device.type == "cuda" and len(gpus) < size:
            # NCCL refuses two ranks on one GPU.
            self._device = torch.device("cpu")
            if rank == 0:
                warn(f"{size} workers of a group share {len(gpus)} GPUs: gloo sums, not NCCL")
        if self._device.type == "cuda":
            options = dist.ProcessGroupNCCL.Options()
            self._group = dist.ProcessGroupNCCL(store, rank, size, options)
        elif on_one_machine:
            self._group = dist.ProcessGroupGloo(store, rank, size, _gloo_on_loopback())
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


def _network_of_this_process() -> tuple[str, int]:
    """Return what is equal for all processes that share a loopback interface, and for no others.

    Containers of one machine have the same boot id, but each its own network namespace.
    """
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    return boot, Path("/proc/self/ns/net").stat().st_ino


def _listening_store(host: str, size: int) -> Any:
    """Start the store of a group of `size` members; torch's own socket would listen everywhere."""
    if host != LOOPBACK:
        return TCPStore(host, 0, size, is_master=True, wait_for_workers=False)
    listener = socket.create_server((LOOPBACK, 0))
    port = listener.getsockname()[1]
    return TCPStore(
        LOOPBACK,
        port,
        size,
        is_master=True,
        wait_for_workers=False,
        master_listen_fd=listener.detach(),  # the store closes it
    )


def _gloo_on_loopback() -> Any:
    options = dist.ProcessGroupGloo._Options()  # type: ignore[attr-defined]  # unlisted
    options._devices = [dist.ProcessGroupGloo.create_device(hostname=LOOPBACK)]
    options._timeout = TIMEOUT
    return options
