"""What a component of each of the five kinds must be, and the data types that pass between them.

Factories take keyword-only arguments without defaults: the option's YAML is the one place where
defaults live. Beside these, a factory of some kinds receives run-time arguments from the host
(`RUNTIME_ARGUMENTS`); it names the ones it wants in its signature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import torch
    from matplotlib.figure import Figure

RUNTIME_ARGUMENTS: Mapping[str, Mapping[str, str]] = {
    "dataset": {},
    "model": {"fields": "Mapping[str, Field], the dataset's per-sample shapes and dtypes"},
    "loss": {},
    "comm": {},
    "evaluator": {},
}
"""Per kind, the arguments a factory may ask the host for, with their meaning."""

Batch: TypeAlias = "Mapping[str, torch.Tensor]"
"""A batch of N samples, every tensor with N as its first axis.

Two names are reserved: `inputs`, what the model is called with, and `keys` (N,) int64, the
samples' row numbers in their split. All others are the dataset's own (`label`, `weight`, ...),
read by the losses and evaluators of its field.
"""

Arrays: TypeAlias = "Mapping[str, np.ndarray]"
"""The same before it becomes tensors; `keys` is added by the host."""


@dataclass(frozen=True, slots=True)
class Field:
    """One entry of a batch: the shape of a single sample and its NumPy dtype name."""

    shape: tuple[int, ...]
    dtype: str


class Split(Protocol):
    """The samples of one split, a table of rows stored in chunks.

    It knows nothing of ranks, shuffling, batches or devices: `baryon.data` does those.
    Reads may come from another thread than the one that opened it, one at a time.

    A split may also have `augment(arrays: Arrays, random: numpy.random.Generator) -> Arrays`: it
    is called with every batch that a step is to learn from, and gives changed samples that are as
    likely as the stored ones.
    """

    @property
    def fields(self) -> Mapping[str, Field]:
        """The entries that `read` returns."""
        ...

    def __len__(self) -> int:
        """Number of samples."""
        ...

    def chunk_starts(self) -> Sequence[int]:
        """First row of every stored chunk, ascending from 0: reading within one is cheap."""
        ...

    def read(self, start: int, stop: int) -> Arrays:
        """Rows start..stop-1 of every field, each an array with stop-start as its first axis."""
        ...

    def fingerprint(self) -> str:
        """A short text that changes when the data does."""
        ...

    def close(self) -> None:
        """Let go of the files."""
        ...


class Dataset(Protocol):
    """What to learn from. Its factory raises `BaryonError` for data a run could not use.

    Its factory may name a generator, `generator = "module:function"`, and ship its defaults as
    `conf/generate/<name>.yaml`: `baryon data generate dataset=<name>` calls it with these keys.
    """

    @property
    def splits(self) -> Mapping[str, Split]:
        """By name; `train` is required, `val` and `test` are used when there."""
        ...


Model: TypeAlias = "torch.nn.Module"
"""What learns: an ordinary module, called with `batch["inputs"]`."""


class Loss(Protocol):
    """What is wrong."""

    def __call__(self, output: Any, batch: Batch) -> Mapping[str, torch.Tensor]:
        """Named scalar terms, each already with its factor.

        The host logs each by its name and minimises their sum.
        """
        ...


class Update(Protocol):
    """The optimiser of some parameters with its clipping and its schedule."""

    def apply(self) -> None:
        """Clip the gradients, change the weights, advance the schedule, clear the gradients."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        ...


UpdateFactory: TypeAlias = "Callable[[Iterable[torch.nn.Parameter]], Update]"


class Communicator(Protocol):
    """Who learns together. The training loop does not know which one it runs."""

    @property
    def is_server(self) -> bool:
        """True on a rank that holds weights for others and calls `serve` instead of training."""
        ...

    @property
    def worker(self) -> int:
        """This worker's number, 0..workers-1: it reads that share of the data.

        Worker 0 writes the run's files.
        """
        ...

    @property
    def workers(self) -> int:
        """How many workers share the data."""
        ...

    def start(self, model: torch.nn.Module, update: UpdateFactory) -> None:
        """Once, before the first step: make all ranks hold the same weights."""
        ...

    def step(self) -> None:
        """After backward: exchange gradients; then the weights are those of the next step."""
        ...

    def serve(self) -> None:
        """On a server rank: answer the workers until they have all finished."""
        ...

    def agree(self, values: Mapping[str, float]) -> dict[str, float]:
        """The sum of each value over all workers, the same on every one. Collective."""
        ...

    def gather(self, value: Any) -> list[Any]:
        """Every worker's value in worker order on worker 0, an empty list elsewhere. Collective."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What only the communicator holds, such as the optimiser's state."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`; after `start`."""
        ...

    def close(self) -> None:
        """Leave in good order."""
        ...


@dataclass(frozen=True)
class Table:
    """A table of results; cells are numbers (formatted by the reader) or text."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | int]]
    caption: str = ""


@dataclass(frozen=True)
class Evaluation:
    """What a trained model means to the field."""

    summary: str
    """The answer in one sentence."""
    metrics: Mapping[str, float]
    """Figures by the field's names; written to `metrics.json`."""
    tables: Mapping[str, Table] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    """By file name; a figure's label (`Figure.set_label`) becomes its caption in the report."""
    warnings: Sequence[str] = ()


class Evaluator(Protocol):
    """What it means to the field."""

    def update(self, output: Any, batch: Batch) -> None:
        """Take in the model's output on one batch (both on the CPU)."""
        ...

    def state(self) -> Any:
        """What was taken in so far, picklable."""
        ...

    def merge(self, state: Any) -> None:
        """Take in what another rank's evaluator saw."""
        ...

    def result(self) -> Evaluation:
        """The answer on all that was taken in. Raises `BaryonError` if there is too little."""
        ...
