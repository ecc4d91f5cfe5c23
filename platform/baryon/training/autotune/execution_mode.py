"""Execution modes: how a step is computed, and what a device can do."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from baryon.config.schemas import Train
from baryon.errors import BaryonError

FP32, TF32, BF16, AUTO = "fp32", "tf32", "bf16", "auto"
EAGER, GRAPHS, COMPILED, TUNED = "eager", "cuda-graphs", "compiled", "max-autotune"
"""Eager; the same kernels, recorded once as CUDA graphs and replayed; compiled with the default
settings; compiled with measured kernels, and recorded."""
AMPERE = (8, 0)
"""CUDA capability from which on a GPU knows TF32 and BF16."""


@dataclass(frozen=True)
class ExecutionMode:
    """How a step is computed; parameters, gradients and losses are float32 in all modes.

    Which kernels a layer uses is not part of it: a model builds the layers that are fastest on the
    device, and the host measures what it gets.

    Attributes
    ----------
    precision : `fp32`; `tf32`, matrix products and convolutions with 10 bits of mantissa (CUDA);
        `bf16`, autocast, which leaves reductions and losses in float32
    mode : `EAGER`, `GRAPHS`, `COMPILED` or `TUNED`
    channels_last : memory format of images and of the kernels of convolutions

    """

    precision: str = FP32
    mode: str = EAGER
    channels_last: bool = True

    def __str__(self) -> str:
        memory_format = "channels-last" if self.channels_last else "contiguous"
        return f"{self.precision} {memory_format} {self.mode}"

    def state(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)

    def eager(self) -> ExecutionMode:
        """Return the same without compilation and graphs."""
        return replace(self, mode=EAGER)


def precisions(device: torch.device) -> tuple[str, ...]:
    """Return the precisions of a device, each as a rule faster than the one before it."""
    if device.type == "cpu":
        return (FP32, BF16)  # without instructions for bf16 it is emulated, and the slower one
    if device.type == "cuda" and torch.cuda.get_device_capability(device) >= AMPERE:
        return (FP32, TF32, BF16)
    return (FP32,)


def from_config(train: Train, device: torch.device) -> ExecutionMode | None:
    """Return the execution mode that the config decides; None where it must be measured.

    Raises `BaryonError` for a precision that the device does not have.
    """
    if train.precision != AUTO and train.precision not in precisions(device):
        choices = ", ".join([*precisions(device), AUTO])
        raise BaryonError(
            f"train.precision={train.precision} is not available on {device.type}; choose from: "
            f"{choices}"
        )
    if train.precision == AUTO or train.compile == AUTO:
        return None
    return ExecutionMode(train.precision, modes(train, device)[-1], train.channels_last)


def modes(train: Train, device: torch.device) -> tuple[str, ...]:
    """Return the values of `ExecutionMode.mode` that the config allows, the most promising last."""
    others = (GRAPHS, TUNED) if device.type == "cuda" else (COMPILED,)
    return {"never": (EAGER,), "always": others[-1:], AUTO: (EAGER, *others)}[train.compile]


def set_precision(execution: ExecutionMode, device: torch.device) -> None:
    """Set, for the whole process, whether products of float32 may use TF32 on CUDA.

    It is set for fp32 as well: PyTorch's default lets cuDNN use TF32.
    """
    if device.type != "cuda":
        return
    tf32 = execution.precision == TF32
    # PyTorch's older switches set its newer ones too. With the newer ones alone the older can no
    # longer be read, and its compiler reads them when it tunes a matrix product.
    with warnings.catch_warnings(category=UserWarning, action="ignore"):  # some releases advise
        torch.set_float32_matmul_precision("high" if tf32 else "highest")
        torch.backends.cudnn.allow_tf32 = tf32


def device_name(device: torch.device) -> str:
    """Name what decides how fast a device computes: its model, and on a CPU the threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    capability = torch.backends.cpu.get_cpu_capability()
    return f"CPU {capability}, {torch.get_num_threads()} threads"
