"""Layers, the unit in which gradients and weights travel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from baryon.errors import BaryonError

ALIGNMENT = 16  # numbers: each parameter starts on a cache line


@dataclass(frozen=True)
class ParameterView:
    """Where one parameter lies in a bucket; the strides keep its memory format."""

    name: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int


@dataclass(frozen=True)
class Layer:
    """The parameters of one module, as all ranks know them."""

    index: int
    name: str
    dtype: torch.dtype
    views: tuple[ParameterView, ...]
    size: int
    """Numbers, with the gaps that align the parameters."""

    @property
    def nbytes(self) -> int:
        """Bytes of its weights."""
        return self.size * self.dtype.itemsize

    def view(self, values: torch.Tensor) -> list[torch.Tensor]:
        """Return the parameters inside a flat tensor, in their shapes and memory formats."""
        return [values.as_strided(v.shape, v.strides, v.offset) for v in self.views]


def split_into_layers(
    model: torch.nn.Module,
) -> tuple[list[Layer], list[list[torch.nn.Parameter]]]:
    """Return the layers in the order of backward (last first), and the parameters of each.

    Raises `BaryonError` for a model without parameters to train, or with parameters of types that
    MPI cannot add.
    """
    modules = [
        (prefix, list(module.named_parameters(recurse=False)))
        for prefix, module in model.named_modules()
    ]
    seen: set[int] = set()
    layers: list[Layer] = []
    parameters: list[list[torch.nn.Parameter]] = []
    for prefix, named in reversed(modules):
        trained = [(f"{prefix}.{name}".lstrip("."), p) for name, p in named if p.requires_grad]
        # A parameter shared by several modules travels with the first of them.
        trained = [(name, p) for name, p in trained if id(p) not in seen]
        seen |= {id(p) for _, p in trained}
        if trained:
            layers.append(_layer(len(layers), prefix or "model", trained))
            parameters.append([p for _, p in trained])
    if not layers:
        raise BaryonError("the model has no parameters to learn: nothing could be exchanged")
    return layers, parameters


def _layer(index: int, name: str, named: Sequence[tuple[str, torch.nn.Parameter]]) -> Layer:
    dtype = named[0][1].dtype
    offset, views = 0, []
    for full_name, parameter in named:
        if parameter.dtype != dtype or dtype not in (torch.float32, torch.float64):
            raise BaryonError(
                f"parameter {full_name} is {parameter.dtype}: a layer's parameters must all be "
                "float32 or all float64 to be exchanged; choose train.precision=bf16 for speed"
            )
        values = parameter.detach()
        strides = values.stride() if _is_dense(values) else values.contiguous().stride()
        views.append(ParameterView(full_name, tuple(values.shape), tuple(strides), offset))
        offset += -(-values.numel() // ALIGNMENT) * ALIGNMENT
    return Layer(index, name, dtype, tuple(views), offset)


def _is_dense(tensor: torch.Tensor) -> bool:
    """Whether it fills its memory without gaps or overlaps, in whatever order."""
    return torch.empty_like(tensor).stride() == tensor.stride()
