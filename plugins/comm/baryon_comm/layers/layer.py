"""A layer: the parameters of one module, and the packets in which they travel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from baryon.errors import BaryonError

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
    """A layer's weights or gradients in one piece of memory: header, values, tail."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        itemsize = layer.dtype.itemsize
        size = HEADER_BYTES + (layer.size + TAIL) * itemsize
        self.raw = torch.zeros(size, dtype=torch.uint8).numpy()  # PyTorch's starts on a cache line
        self.header = self.raw[:HEADER_BYTES].view(np.int64)
        everything = torch.from_numpy(self.raw[HEADER_BYTES:]).view(layer.dtype)
        self.summed = everything
        """Values and tail: what a group sums."""
        self.values = everything[: layer.size]
        self.tail = everything[layer.size :]
        self.parameters = views(self.values, layer)

    def copy_from(self, other: Packet) -> None:
        """Take over all of another packet of the layer."""
        self.raw[:] = other.raw


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
