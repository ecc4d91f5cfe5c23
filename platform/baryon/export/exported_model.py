"""Wrap a trained model for others: from the values that files hold to the model's output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from baryon.interfaces import Normalisation


class Exported(nn.Module):
    """A model with its normalisation in front: it takes stored values (N, channels, ...) float32.

    Parameters
    ----------
    model
        The model.
    normalisation
        The scaling of its inputs; with None they pass as they are.
    axes
        Number of axes of a sample.

    """

    def __init__(self, model: nn.Module, normalisation: Normalisation | None, axes: int) -> None:
        super().__init__()
        self.model = model
        self.normalised = normalisation is not None
        if normalisation is not None:
            shape = (-1, *[1] * (axes - 1))
            for name in ("offset", "scale"):
                values = torch.tensor(getattr(normalisation, name), dtype=torch.float32)
                # Not in the state: files of weights hold the model's own names alone.
                self.register_buffer(name, values.reshape(shape), persistent=False)

    offset: torch.Tensor
    scale: torch.Tensor

    def forward(self, inputs: torch.Tensor) -> Any:
        """Return the model's output, in its own form."""
        return self.model((inputs - self.offset) / self.scale if self.normalised else inputs)


def named(output: Any, name: str = "") -> dict[str, torch.Tensor]:
    """Return the tensors of a model's output by name: keys and numbers joined with underscores.

    A single tensor is called `output`.
    """
    if isinstance(output, torch.Tensor):
        return {name or "output": output}
    if isinstance(output, Mapping):
        inner = {str(key): value for key, value in output.items()}
    elif isinstance(output, Sequence):
        inner = {str(number): value for number, value in enumerate(output)}
        name = name or "output"
    else:
        raise TypeError(f"a model's output is made of tensors, not {type(output).__name__}")
    tensors: dict[str, torch.Tensor] = {}
    for key, value in inner.items():
        tensors |= named(value, f"{name}_{key}" if name else key)
    return tensors
