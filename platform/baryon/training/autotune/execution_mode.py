"""One way to compute a step, and what this hardware can do."""

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


@dataclass(frozen=True)
class ExecutionMode:
    """Parameters, gradients and losses are float32 in all of them; see `Network`."""

    precision: str = FP32
    """`fp32`; `tf32`: matrix products and convolutions with 10 bits of mantissa (CUDA); `bf16`:
    autocast, which leaves reductions and losses in float32."""
    mode: str = EAGER
    channels_last: bool = True

    def __str__(self) -> str:
        components = [
            self.precision,
            "channels-last" if self.channels_last else "contiguous",
            self.mode,
        ]
        return " ".join(components)

    def state(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    def eager(self) -> ExecutionMode:
        """The same without compilation and graphs."""
        return replace(self, mode=EAGER)


def precisions(device: torch.device) -> tuple[str, ...]:
    """Those that the device computes faster than, or as fast as, the one before it."""
    if device.type == "cpu":
        return (FP32, BF16)  # without the instructions bf16 is emulated, and the slower of the two
    if device.type == "cuda" and torch.cuda.get_device_capability(device) >= AMPERE:
        return (FP32, TF32, BF16)
    return (FP32,)


def from_config(train: Train, device: torch.device) -> ExecutionMode | None:
    """What the config alone decides; None where it must be measured.

    Raises `BaryonError` for a precision that the device does not have.
    """
    if train.precision != AUTO and train.precision not in precisions(device):
        there = ", ".join([*precisions(device), AUTO])
        raise BaryonError(
            f"train.precision={train.precision} is not there on {device.type}: there is {there}"
        )
    if train.precision == AUTO or train.compile == AUTO:
        return None
    return ExecutionMode(train.precision, modes(train, device)[-1], train.channels_last)


def modes(train: Train, device: torch.device) -> tuple[str, ...]:
    """Of execution, that the config allows; the most promising last."""
    others = (GRAPHS, TUNED) if device.type == "cuda" else (COMPILED,)
    return {"never": (EAGER,), "always": others[-1:], AUTO: (EAGER, *others)}[train.compile]


def set_precision(execution: ExecutionMode, device: torch.device) -> None:
    """The process's switch of float32 products on CUDA; PyTorch's default lets cuDNN use TF32.

    By PyTorch's older switches, which set its newer ones too: with the newer ones alone the older
    can no longer be read, and its compiler reads them when it tunes a matrix product.
    """
    if device.type != "cuda":
        return
    tf32 = execution.precision == TF32
    with warnings.catch_warnings(category=UserWarning, action="ignore"):  # some releases advise
        torch.set_float32_matmul_precision("high" if tf32 else "highest")
        torch.backends.cudnn.allow_tf32 = tf32


def device_name(device: torch.device) -> str:
    """What decides how fast it computes: the model, and on a CPU the threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    capability = torch.backends.cpu.get_cpu_capability()
    return f"CPU {capability}, {torch.get_num_threads()} threads"
