"""Check, as a checkpoint is read, the types, keys and bounds of what it holds.

A checkpoint may come from anybody, and its checksum says only that it is as it was written, not
that Baryon wrote it. Types and keys are those of typed dictionaries, which typeguard checks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

import torch

from baryon.errors import BaryonError
from baryon.training.checkpoints import shards
from baryon.training.checkpoints.file import DamagedError
from baryon.training.early_stopping import EarlyStoppingState

State = dict[str, Any]

DEEPEST = 16
"""Most containers within one another; what Baryon writes has 8."""
MOST_STEPS = 2**48
MOST_WORKERS = 2**16
LARGEST = 2**63
"""Bound of integers: what is computed with them must not wrap around."""


class ExecutionMode(TypedDict):
    """The execution mode; see `baryon.training.autotune.execution_mode`."""

    precision: Literal["fp32", "tf32", "bf16"]
    mode: Literal["eager", "cuda-graphs", "compiled", "max-autotune"]
    channels_last: bool


class Identity(TypedDict):
    """Versions of Baryon and plugins, and components by kind; see `identity`."""

    baryon: str
    choices: dict[str, str]
    plugins: dict[str, str]


class Weights(TypedDict):
    """Content of `best.pt` and `ema.pt`."""

    step: int
    execution: ExecutionMode
    identity: Identity
    model: dict[str, torch.Tensor]


class Basis(TypedDict):
    """What decides the order of samples; see `baryon.data.ledger.Basis`."""

    order: int
    seed: int
    batch_size: int
    samples: int
    window: int
    chunks: str
    strata: str


class LedgerState(TypedDict):
    """State of the ledger: which samples the steps took."""

    step: int
    basis: Basis
    data: dict[str, str]
    workers: list[list[int]]


class Random(TypedDict):
    """States of a worker's random generators."""

    cpu: torch.Tensor
    cuda: NotRequired[torch.Tensor]


class RunningLoss(TypedDict):
    """A worker's sums over the current interval of the log."""

    steps: int
    samples: int
    sums: dict[str, torch.Tensor]


class Worker(TypedDict):
    """The part of the state that differs from worker to worker."""

    random: Random
    running_loss: RunningLoss


class Rates(TypedDict):
    """Peak and sustained rate, samples a second."""

    peak: float
    sustained: float
    sustained_steps: int


class Operations(TypedDict):
    """Floating-point operations of a sample."""

    per_sample: float
    by_layer: dict[str, float]


class Meters(TypedDict):
    """State of the meters."""

    rates: Rates
    phases: dict[str, float]
    samples: float
    lost: float
    seconds: float
    operations: Operations | None


class Progress(Weights):
    """Content of `last.pt`: all that a resume needs."""

    communicator: dict[str, Any]
    ema: dict[str, torch.Tensor]
    best: float
    early_stopping: EarlyStoppingState
    meters: Meters
    workers: list[Worker]
    ledger: LedgerState
    config: dict[str, Any]


def read_weights(path: Path) -> State:
    """Read a checkpoint for its weights, whether it holds more than them or not.

    Raises `BaryonError` if there is none, `DamagedError` for one that Baryon did not write.
    """
    state = shards.load(path)
    further_keys = Progress.__required_keys__ - Weights.__required_keys__
    has_progress = isinstance(state, Mapping) and state.keys() & further_keys
    require_form(path, state, Progress if has_progress else Weights)
    _require_bounds(path, _weights_problems(state))
    if has_progress:
        _require_bounds(path, _progress_problems(state))
    return state


def read_progress(path: Path) -> State:
    """Read a checkpoint to go on with its run.

    Raises `BaryonError` if there is none or it holds weights alone, `DamagedError` for one that
    Baryon did not write.
    """
    state = read_weights(path)
    if "ledger" not in state:
        raise BaryonError(
            f"{path} holds weights, as best.pt does, and not where the run stood: put the run's "
            "own checkpoint there"
        )
    return state


def require_form(path: Path, state: Any, form: Any, name: str = "it") -> None:
    """Raise `DamagedError` for values of other types, or with other keys, than `form` says."""
    from typeguard import CollectionCheckStrategy, TypeCheckError, check_type

    _require_bounds(path, _tree_problems(state))
    every = CollectionCheckStrategy.ALL_ITEMS
    try:
        check_type(state, form, collection_check_strategy=every)
    except TypeCheckError as error:
        reason = " ".join(str(error).split()).removeprefix("dict ")
        raise DamagedError(_refusal(path, f"{name}: {reason}")) from error


def _refusal(path: Path, reason: str) -> str:
    return f"{path} is no readable checkpoint ({reason[:300]}): Baryon did not write it like this"


def _require_bounds(path: Path, problems: Iterator[str]) -> None:
    for problem in problems:
        raise DamagedError(_refusal(path, problem))


def _tree_problems(state: Any) -> Iterator[str]:
    """Yield what is wrong with any value, wherever it is."""
    # No recursion: values may be nested as deep as the file is long.
    waiting: list[tuple[str, Any, int]] = [("", state, 0)]
    while waiting:
        place, value, depth = waiting.pop()
        if depth > DEEPEST:
            yield f"{place[:60]}... is nested deeper than {DEEPEST}"
        elif isinstance(value, torch.Tensor):
            yield from _tensor_problems(place, value)
        elif isinstance(value, int) and abs(value) >= LARGEST:
            yield f"{place} is an integer of {value.bit_length()} bits"
        elif isinstance(value, Mapping):
            waiting += [(f"{place}.{key}"[-200:], inner, depth + 1) for key, inner in value.items()]
        elif isinstance(value, list | tuple):
            waiting += [(f"{place}[{n}]"[-200:], inner, depth + 1) for n, inner in enumerate(value)]


def _tensor_problems(place: str, tensor: torch.Tensor) -> Iterator[str]:
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        yield f"{place} is no plain tensor but {tensor.layout} on {tensor.device}"
    elif tensor.nbytes > tensor.untyped_storage().nbytes():
        yield f"{place} has the shape {tuple(tensor.shape)}, but the file holds fewer values"


def _weights_problems(state: State) -> Iterator[str]:
    if not 0 <= state["step"] <= MOST_STEPS:
        yield f"step is {state['step']}"


def _progress_problems(state: State) -> Iterator[str]:
    if math.isnan(state["best"]):
        yield "best is no number"
    if math.isnan(state["early_stopping"]["lowest"]):
        yield "early_stopping.lowest is no number"
    if not 0 <= state["early_stopping"]["validations"] <= state["step"]:
        yield f"early_stopping.validations is {state['early_stopping']['validations']}"
    yield from _config_problems(state["config"])
    yield from _ledger_problems(state["ledger"], state["step"])
    yield from _meters_problems(state["meters"])
    if not 0 < len(state["workers"]) <= MOST_WORKERS:
        yield f"workers are {len(state['workers'])}"
    generator = torch.get_rng_state()
    for number, worker in enumerate(state["workers"]):
        random, running = worker["random"]["cpu"], worker["running_loss"]
        if random.dtype != torch.uint8 or random.shape != generator.shape:
            yield f"workers[{number}].random.cpu is no state of PyTorch's generator"
        if min(running["steps"], running["samples"]) < 0:
            yield f"workers[{number}].running_loss counts below 0"
        if any(value.dim() or not value.is_floating_point() for value in running["sums"].values()):
            yield f"workers[{number}].running_loss.sums are no single numbers"


def _config_problems(config: Any, place: str = "config") -> Iterator[str]:
    """Yield what is no plain data: a resumed run compares each value with its own config's."""
    if isinstance(config, Mapping):
        for key, value in config.items():
            if not isinstance(key, str | int):
                yield f"{place} has a key that is neither text nor integer"
            yield from _config_problems(value, f"{place}.{key}"[-200:])
    elif isinstance(config, list):
        for number, value in enumerate(config):
            yield from _config_problems(value, f"{place}[{number}]"[-200:])
    elif config is not None and not isinstance(config, bool | int | float | str):
        yield f"{place} is {type(config).__name__}, no plain value"


def _ledger_problems(ledger: Mapping[str, Any], step: int) -> Iterator[str]:
    if ledger["step"] != step:
        yield f"ledger.step is {ledger['step']}, but step is {step}"
    if min(value for value in ledger["basis"].values() if isinstance(value, int)) < 0:
        yield "ledger.basis has a number below 0"
    for number, span in enumerate(ledger["workers"]):
        place = f"ledger.workers[{number}]"
        if len(span) != 3:
            yield f"{place} is not three numbers"
            return
        first, groups, group_size = span
        if first < 0 or min(groups, group_size) < 1 or groups * group_size > MOST_WORKERS:
            yield f"{place} is {groups} groups of {group_size} from step {first}"


def _meters_problems(meters: Mapping[str, Any]) -> Iterator[str]:
    numbers = [
        *meters["rates"].values(),
        *meters["phases"].values(),
        *(meters[key] for key in ("samples", "lost", "seconds")),
    ]
    operations = meters["operations"] or {"per_sample": 0.0, "by_layer": {}}
    numbers += [operations["per_sample"], *operations["by_layer"].values()]
    if not all(math.isfinite(number) and number >= 0 for number in numbers):
        yield "meters holds a number that is below 0 or not finite"


def require_optimizer(
    path: Path,
    state: Mapping[str, Any],
    parameters: Mapping[str, torch.Tensor],
    buffers: Sequence[str],
) -> None:
    """Check a communicator's state against the model's parameters.

    Parameters
    ----------
    path
        Where the checkpoint was read, for messages.
    state
        What `Communicator.state_dict` returned.
    parameters
        The model's trained parameters by name.
    buffers
        Names of the tensors that the optimizer holds for each parameter, of its shape.

    Raises
    ------
    DamagedError
        If they do not fit.

    """
    tensors = dict[str, dict[str, torch.Tensor | float | None]]
    require_form(path, state.get("optimizer"), tensors, "communicator.optimizer")
    _require_bounds(path, _optimizer_problems(state["optimizer"], parameters, buffers))
    for kind, values in state.items():
        if kind != "optimizer" and isinstance(values, Mapping):
            _require_bounds(path, _shape_problems(f"communicator.{kind}", values, parameters))


def require_average(
    path: Path, average: Mapping[str, torch.Tensor], parameters: Mapping[str, torch.Tensor]
) -> None:
    """Raise `DamagedError` unless averaged weights are of these parameters, by name and shape."""
    if average.keys() != parameters.keys():
        raise DamagedError(_refusal(path, "ema holds other parameters than are averaged"))
    _require_bounds(path, _shape_problems("ema", average, parameters))


def _optimizer_problems(
    optimizer: Mapping[str, Mapping[str, Any]],
    parameters: Mapping[str, torch.Tensor],
    buffers: Sequence[str],
) -> Iterator[str]:
    for name, parameter in parameters.items():
        place, entry = f"communicator.optimizer.{name}", optimizer.get(name)
        if entry is None:
            yield f"{place} is missing"
        elif entry:
            tensors = {key: entry[key] for key in buffers if key in entry}
            missing = [key for key in buffers if key not in entry]
            if missing or entry.keys() - {*buffers, "step"}:
                yield f"{place} holds {', '.join(entry)}, and not {', '.join(buffers)}"
            yield from _shape_problems(place, tensors, dict.fromkeys(tensors, parameter))
            step = entry.get("step")
            is_count = (
                isinstance(step, torch.Tensor) and step.is_floating_point() and not step.dim()
            )
            if not is_count and "exp_avg" in buffers:  # only Adam counts steps
                yield f"{place}.step is no single number"


def _shape_problems(
    place: str, values: Mapping[str, Any], parameters: Mapping[str, torch.Tensor]
) -> Iterator[str]:
    """Yield which values do not have the shape of the parameter of the same name."""
    for name, value in values.items():
        if value is None or name not in parameters:
            continue
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            yield f"{place}.{name} is no tensor of real numbers"
        elif value.shape != parameters[name].shape:
            shape = tuple(parameters[name].shape)
            yield f"{place}.{name} has the shape {tuple(value.shape)}, its parameter {shape}"
