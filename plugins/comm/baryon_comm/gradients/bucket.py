"""Buckets: a layer's gradients or weights in one block of memory, as they travel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from baryon_comm.gradients.layer import Layer
from baryon_comm.gradients.side_stream import SideStream
from baryon_comm.mpi.progress_engine import Task

HEADER_BYTES = 64
TAIL = 4  # numbers behind the values that are summed with them

SAMPLES, STOP, PRESENT = 0, 1, 2  # positions in the tail
STEP, VERSION, GROUP, STOP_AT, STALENESS, SERVER = 0, 1, 2, 3, 4, 5  # positions in the header
NEVER = -1


class Bucket:
    """A layer's weights or gradients in one block of memory: header, values, tail.

    Values and tail may lie on a device instead; `copy_to_host` brings them to where MPI reads.
    """

    def __init__(
        self, layer: Layer, device: torch.device | None = None, *, pinned: bool = False
    ) -> None:
        """Allocate zeros; `pinned` host memory is what a GPU copies to and from fastest."""
        self.layer = layer
        itemsize = layer.dtype.itemsize
        nbytes = HEADER_BYTES + (layer.size + TAIL) * itemsize
        memory = torch.zeros(nbytes, dtype=torch.uint8, pin_memory=pinned)
        self.raw = memory.numpy()  # PyTorch's memory starts on a cache line
        self.header = self.raw[:HEADER_BYTES].view(np.int64)
        self._host = torch.from_numpy(self.raw[HEADER_BYTES:]).view(layer.dtype)
        self.summed = self._host if device is None else torch.zeros_like(self._host, device=device)
        """Values and tail: what a group sums."""
        self.values = self.summed[: layer.size]
        self.tail = self.summed[layer.size :]
        self.parameters = layer.view(self.values)
        self.side_stream = SideStream(self.summed.device)

    def empty_like(self) -> Bucket:
        """Return a bucket of zeros for the same layer, in the same kind of memory."""
        device = None if self.is_on_host else self.summed.device
        return Bucket(self.layer, device, pinned=self._host.is_pinned())

    @property
    def is_on_host(self) -> bool:
        """Whether values and tail lie where MPI reads them."""
        return self.summed is self._host

    @property
    def has_gradient(self) -> bool:
        """Whether any member's backward reached the layer; meaningful after the sum."""
        return bool(self.tail[PRESENT] > 0)

    def copy_to_host(self) -> Task:
        """Copy values and tail into `raw`, unless they are there."""
        if not self.is_on_host:
            with self.side_stream.enqueue():
                self._host.copy_(self.summed, non_blocking=True)
            yield from self.side_stream.wait()


def buckets_for(
    layers: Sequence[Layer], parameters: Sequence[Sequence[torch.nn.Parameter]]
) -> list[Bucket]:
    """Return one bucket for each layer, its values on the device of the layer's parameters."""
    return [
        Bucket(layer, bucket_device(own[0].device), pinned=own[0].device.type == "cuda")
        for layer, own in zip(layers, parameters, strict=True)
    ]


def bucket_device(device: torch.device) -> torch.device | None:
    """Return the device of a bucket's values; None where MPI can read them in place, on a CPU."""
    return None if device.type == "cpu" else device
