"""Call a model on its device, in the execution mode that was chosen."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from baryon.config.schemas import Train
from baryon.errors import BaryonError
from baryon.interfaces import Batch
from baryon.launch.environment import cluster_environment
from baryon.terminal.console import warn
from baryon.training.autotune.execution_mode import (
    BF16,
    COMPILED,
    EAGER,
    FP32,
    GRAPHS,
    TUNED,
    ExecutionMode,
    from_config,
    precisions,
    set_precision,
)

IMAGE_AXES = 4
"""Of a batch of images: (samples, channels, height, width)."""
COMPILE: Mapping[str, Mapping[str, str]] = {
    GRAPHS: {"backend": "cudagraphs"},
    COMPILED: {},
    TUNED: {"mode": "max-autotune"},
}
"""Mode -> options of `torch.compile`.

CUDA graphs without compiling are its backend "cudagraphs", not `torch.cuda.make_graphed_callables`:
that one records in a mode in which the loader's thread must not allocate pinned memory, replays one
shape only, and puts its own `forward` into the model.
"""
RECORDED_MODES = (GRAPHS, TUNED)
"""Modes that record CUDA graphs."""


class ModelRunner:
    """Calls a model with batches; parameters and outputs are float32 in any precision.

    Attributes
    ----------
    device : where the model is
    model : the model
    execution : the current execution mode
    is_settled : False as long as the config leaves the mode to a measurement, until `use`
    frozen_modules : names of the modules of `train.freeze`

    """

    execution: ExecutionMode
    frozen_modules: Sequence[str] = ()

    def __init__(self, model: torch.nn.Module, train: Train) -> None:
        self.device = choose_device(train.device)
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)  # for what asks for no device by number
        self.model = model.to(self.device)
        configured = from_config(train, self.device)
        self.is_settled = configured is not None
        self._set(configured or ExecutionMode(train.precision, EAGER, train.channels_last))

    def use(self, execution: ExecutionMode) -> None:
        """Compute in this mode from now on."""
        self._set(execution)
        self.is_settled = True

    def _set(self, execution: ExecutionMode) -> None:
        self.execution = execution
        set_precision(execution, self.device)
        self._format = torch.channels_last if execution.channels_last else torch.contiguous_format
        for weight in self.model.parameters():
            if weight.dim() == IMAGE_AXES:  # PyTorch refuses the format for any other number
                weight.data = weight.data.contiguous(memory_format=self._format)
        self._call = _compiled(self.model, execution)

    def __call__(self, batch: Batch, *, eager: bool = False) -> Any:
        """Return the model's output on a batch that is on the device.

        With `eager` it is not compiled. Nor is it in evaluation mode, for one pass over a split
        would not repay it.
        """
        inputs = batch["inputs"]
        if inputs.dim() == IMAGE_AXES:
            inputs = inputs.contiguous(memory_format=self._format)
        call = self.model if eager or not self.model.training else self._call
        autocast = self.execution.precision == BF16
        with torch.autocast(self.device.type, torch.bfloat16, enabled=autocast):
            output = call(inputs)
        return each_tensor(output, lambda tensor: tensor.float()) if autocast else output

    def train(self, mode: bool = True) -> None:
        """Put the model into training mode, or with False into evaluation mode.

        Frozen modules stay in evaluation mode: a batch normalisation keeps its running statistics,
        and normalises by them.
        """
        self.model.train(mode)
        for name in self.frozen_modules:
            self.model.get_submodule(name).training = False

    def begin_step(self) -> None:
        """Begin a step: recorded graphs start anew, even if the last forward had no backward."""
        if self.execution.mode in RECORDED_MODES:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]

    def to_device(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Copy a batch to the model's device."""
        return {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()}

    def to_cpu(self, output: Any) -> Any:
        """Copy a model's output to the CPU."""
        return each_tensor(output, lambda tensor: tensor.cpu())


def _compiled(model: torch.nn.Module, execution: ExecutionMode) -> Callable[..., Any]:
    if execution.mode == EAGER:
        return model
    # The imports of PyTorch's compiler warn of what is deprecated in Python.
    with warnings.catch_warnings(category=DeprecationWarning, action="ignore"):
        options: Mapping[str, Any] = COMPILE[execution.mode]
        compiled: Callable[..., Any] = torch.compile(model, dynamic=False, **options)
    return compiled


def use_saved_mode(runner: ModelRunner, state: Mapping[str, Any]) -> None:
    """Compute as the run of a checkpoint did; with a warning in float32 where that is impossible.

    `state` is the checkpoint, with the execution mode as `ExecutionMode.state` gives it.
    """
    saved = ExecutionMode(**state["execution"])
    if saved.precision in precisions(runner.device):
        runner.use(saved)
        return
    possible = ExecutionMode(FP32, EAGER, saved.channels_last)
    warn(f"the checkpoint was computed in {saved}, which is not available; using {possible}")
    runner.use(possible)


def choose_device(name: str) -> torch.device:
    """Return the device that `train.device` names.

    `auto` is CUDA where there is one. Without a number the ranks of a host take its GPUs in turn.

    Raises
    ------
    BaryonError
        For a device that is unknown or not available.

    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise BaryonError(
            f"train.device={name} is not known; choose from: auto, cpu, cuda"
        ) from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise BaryonError(
            f"train.device={name} is not available: this process sees "
            f"{torch.cuda.device_count()} CUDA devices; use train.device=cpu"
        )
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", cluster_environment().local_rank % torch.cuda.device_count())
    return device


def each_tensor(output: Any, change: Callable[[torch.Tensor], Any]) -> Any:
    """Apply a function to every tensor of a model's output; return the results in its structure.

    Raises `TypeError` for an output that holds anything but tensors, mappings and sequences.
    """
    if isinstance(output, torch.Tensor):
        return change(output)
    if isinstance(output, Mapping):
        return {key: each_tensor(value, change) for key, value in output.items()}
    if isinstance(output, Sequence):
        return [each_tensor(value, change) for value in output]
    raise TypeError(f"a model's output is made of tensors, not {type(output).__name__}")
