"""A layer: the parameters of one module, and the packets in which they travel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from baryon.errors import BaryonError
from baryon_comm.layers.beside import Beside
from baryon_comm.world.courier import Task

HEADER_BYTES = 64
TAIL = 4  # numbers behind the values that are summed with them
ALIGNMENT = 16  # numbers: each parameter starts on a cache line

SAMPLES, STOP, PRESENT = 0, 1, 2  # places in the tail
STEP, VERSION, GROUP, STOP_AT, STALENESS, SERVER = 0, 1, 2, 3, 4, 5  # places in the header
NEVER = -1


@dataclass(frozen=True)
class Piece:
    """One parameter's place in a packet; its strides keep the memory format."""

    name: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int


@dataclass(frozen=True)
class Layer:
    """What all ranks know of a layer."""

    index: int
    name: str
    dtype: torch.dtype
    pieces: tuple[Piece, ...]
    size: int
    """Numbers, with the gaps that align the pieces."""

    @property
    def nbytes(self) -> int:
        """Bytes of its weights."""
        return self.size * self.dtype.itemsize


class Packet:
    """A layer's weights or gradients in one piece of memory: header, values, tail.

    Values and tail may lie on a device instead; `to_host` brings them to where MPI finds them.
    """

    def __init__(
        self, layer: Layer, device: torch.device | None = None, *, pinned: bool = False
    ) -> None:
        """`pinned`: the memory of the host is such that a GPU copies to and from it at its best."""
        self.layer = layer
        itemsize = layer.dtype.itemsize
        size = HEADER_BYTES + (layer.size + TAIL) * itemsize
        memory = torch.zeros(size, dtype=torch.uint8, pin_memory=pinned)
        self.raw = memory.numpy()  # PyTorch's memory starts on a cache line
        self.header = self.raw[:HEADER_BYTES].view(np.int64)
        self._host = torch.from_numpy(self.raw[HEADER_BYTES:]).view(layer.dtype)
        self.summed = self._host if device is None else torch.zeros_like(self._host, device=device)
        """Values and tail: what a group sums."""
        self.values = self.summed[: layer.size]
        self.tail = self.summed[layer.size :]
        self.parameters = views(self.values, layer)
        self.beside = Beside(self.summed.device)

    def another(self) -> Packet:
        """An empty one of the same layer in the same place."""
        device = None if self.in_host else self.summed.device
        return Packet(self.layer, device, pinned=self._host.is_pinned())

    @property
    def in_host(self) -> bool:
        """Whether values and tail lie where MPI finds them."""
        return self.summed is self._host

    def to_host(self) -> Task:
        """Values and tail into `raw`."""
        if not self.in_host:
            with self.beside.work():
                self._host.copy_(self.summed, non_blocking=True)
            yield from self.beside.done()


def packets_for(
    layers: Sequence[Layer], parameters: Sequence[Sequence[torch.nn.Parameter]]
) -> list[Packet]:
    """One for each layer, its values where the layer's parameters are."""
    return [
        Packet(layer, place_of(own[0].device), pinned=own[0].device.type == "cuda")
        for layer, own in zip(layers, parameters, strict=True)
    ]


def place_of(device: torch.device) -> torch.device | None:
    """Where values lie apart from the memory that MPI sends; a CPU's are in it."""
    return None if device.type == "cpu" else device


def views(values: torch.Tensor, layer: Layer) -> list[torch.Tensor]:
    """The parameters of a layer inside its values, in their shapes and memory formats."""
    return [values.as_strided(p.shape, p.strides, p.offset) for p in layer.pieces]


def split_into_layers(
    model: torch.nn.Module,
) -> tuple[list[Layer], list[list[torch.nn.Parameter]]]:
    """Layers in the order of backward (last first), and the parameters of each.

    Raises `BaryonError` for a model without parameters to learn, or with types of them that MPI
    cannot add.
    """
    prefixes = [
        (prefix, list(module.named_parameters(recurse=False)))
        for prefix, module in model.named_modules()
    ]
    seen: set[int] = set()
    layers: list[Layer] = []
    parameters: list[list[torch.nn.Parameter]] = []
    for prefix, named in reversed(prefixes):
        own = [(f"{prefix}.{n}".lstrip("."), p) for n, p in named if p.requires_grad]
        own = [(name, p) for name, p in own if id(p) not in seen]
        seen |= {id(p) for _, p in own}
        if own:
            layers.append(_layer(len(layers), prefix or "model", own))
            parameters.append([p for _, p in own])
    if not layers:
        raise BaryonError("the model has no parameters to learn: nothing could be exchanged")
    return layers, parameters


def _layer(index: int, name: str, named: Sequence[tuple[str, torch.nn.Parameter]]) -> Layer:
    dtype = named[0][1].dtype
    offset, pieces = 0, []
    for full_name, parameter in named:
        if parameter.dtype != dtype or dtype not in (torch.float32, torch.float64):
            raise BaryonError(
                f"parameter {full_name} is {parameter.dtype}: a layer's parameters must all be "
                "float32 or all float64 to be exchanged; choose train.precision=bf16 for speed"
            )
        dense = parameter.detach()
        strides = dense.stride() if _is_dense(dense) else dense.contiguous().stride()
        pieces.append(Piece(full_name, tuple(dense.shape), tuple(strides), offset))
        offset += -(-dense.numel() // ALIGNMENT) * ALIGNMENT
    return Layer(index, name, dtype, tuple(pieces), offset)


def _is_dense(tensor: torch.Tensor) -> bool:
    """Whether it fills its memory without gaps or overlaps, in whatever order."""
    return torch.empty_like(tensor).stride() == tensor.stride()
