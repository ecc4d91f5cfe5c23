"""A model on its device, in its precision and memory format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from baryon.errors import BaryonError
from baryon.interfaces import Batch
from baryon.schemas import Train

IMAGE_AXES = 4


class Network:
    """Calls a model with batches; its output is float32 whatever the precision inside."""

    def __init__(self, model: torch.nn.Module, train: Train) -> None:
        self.device = choose_device(train.device)
        self._format = torch.channels_last if train.channels_last else torch.contiguous_format
        self._autocast = train.precision == "bf16"
        self.model = model.to(self.device).to(memory_format=self._format)  # type: ignore[call-overload]

    def __call__(self, batch: Batch) -> Any:
        """The model's output on a batch that is on the device."""
        inputs = batch["inputs"]
        if inputs.dim() == IMAGE_AXES:
            inputs = inputs.contiguous(memory_format=self._format)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._autocast):
            output = self.model(inputs)
        return _map(output, lambda tensor: tensor.float()) if self._autocast else output

    def to_device(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The batch on the model's device."""
        return {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()}

    def to_cpu(self, output: Any) -> Any:
        """The model's output on the CPU."""
        return _map(output, lambda tensor: tensor.cpu())


def choose_device(name: str) -> torch.device:
    """`auto` takes CUDA when there is one. Raises `BaryonError` for a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise BaryonError(f"train.device={name} is not known; there is: auto, cpu, cuda") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise BaryonError(
            f"train.device={name} is not there: this process sees {torch.cuda.device_count()} "
            "CUDA devices; use train.device=cpu"
        )
    return device


def _map(output: Any, change: Any) -> Any:
    """Apply a function to every tensor of a model's output."""
    if isinstance(output, torch.Tensor):
        return change(output)
    if isinstance(output, Mapping):
        return {key: _map(value, change) for key, value in output.items()}
    if isinstance(output, Sequence):
        return [_map(value, change) for value in output]
    raise TypeError(f"a model's output is made of tensors, not {type(output).__name__}")
