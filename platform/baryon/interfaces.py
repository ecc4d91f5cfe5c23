"""What a component of each of the five kinds must be, and the data types that pass between them.

Factories take keyword-only arguments without defaults: the option's YAML is the one place where
defaults live. Beside these, a factory of some kinds receives run-time arguments from the host
(`RUNTIME_ARGUMENTS`); it names the ones it wants in its signature.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import torch
    from matplotlib.figure import Figure

RUNTIME_ARGUMENTS: Mapping[str, Mapping[str, str]] = {
    "dataset": {},
    "model": {"fields": "Mapping[str, Field], the dataset's per-sample shapes and dtypes"},
    "loss": {},
    "comm": {},
    "evaluator": {},
    "predict": {"split": "Split, the samples to predict"},
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


@dataclass(frozen=True)
class Normalisation:
    """What a split does to the values of its files: inputs = (stored - offset) / scale.

    A number for each channel, which is a sample's first axis, in the order of the channels.
    """

    channels: tuple[str, ...]
    """Their names, with units where they have any."""
    offset: tuple[float, ...]
    scale: tuple[float, ...]


class Split(Protocol):
    """The samples of one split, a table of rows stored in chunks.

    It knows nothing of ranks, shuffling, batches or devices: `baryon.data` does those.
    Reads may come from another thread than the one that opened it, one at a time. With
    `data.processes` it is pickled, and read in other processes: what it holds of files and locks
    it leaves out in `__getstate__` and opens anew in `__setstate__`, as
    `baryon.data.hdf5.table.Hdf5Table` does.

    A split may also have
    * `augment(arrays: Arrays, random: numpy.random.Generator) -> Arrays`: it is called with every
      batch that a step is to learn from, and gives changed samples that are as likely as the
      stored ones;
    * `augmented_fields`: like `fields`, where `augment` changes shapes (it cuts crops, say): the
      model is built for these;
    * `parallel_reads = True`: `read` and `augment` may be called by several threads at once;
    * `place(row: int) -> str`: the file and the row in it, for people;
    * `stored() -> Sequence[baryon.data.stored.Stored]`: how each member of each file is stored,
      for `baryon data check`;
    * `normalisation() -> Normalisation` together with `raw(start: int, stop: int)`, the `inputs`
      of some rows as the files hold them, float32: an exported model then takes these.
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
        """Rows start..stop-1 of every field, each an array with stop-start as its first axis.

        Its shape and dtype are those that `fields` says: anything else is refused.
        """
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

    A dataset may also have `open_input(files: Sequence[str]) -> Split`, for `baryon predict`: files
    or globs, that need hold no more than the model's inputs, read as the run reads its own. Without
    it they are opened as the argument `test` of its factory, as whole as that asks for.
    """

    @property
    def splits(self) -> Mapping[str, Split]:
        """By name; `train` is required, `val` and `test` are used when there."""
        ...


Model: TypeAlias = "torch.nn.Module"
"""What learns: an ordinary module, called with `batch["inputs"]`."""


class Loss(Protocol):
    """The training objective: maps the model's output and the batch to named scalar terms."""

    def __call__(self, output: Any, batch: Batch) -> Mapping[str, torch.Tensor]:
        """Return named scalar terms, each already with its factor.

        Each is a mean over the samples of the batch, not a sum: several workers take a part of a
        batch each, and their mean, weighted by samples, must be that of the whole. The host logs
        each term by its name and minimises their sum.
        """
        ...


class OptimizerStep(Protocol):
    """The optimiser of some parameters with its clipping and its schedule."""

    def apply(self, step: int) -> None:
        """Clip the gradients, change the weights at the rate of this step, clear the gradients.

        `step` counts the run's steps from 0; the optimiser's own counters (Adam's bias
        correction) count the calls.
        """
        ...

    def momentum_lookahead(self) -> Sequence[torch.Tensor]:
        """What momentum alone would add to each parameter at the next call; as `apply` left it."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """`parameters`: the optimiser's state of each parameter, in their order."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        ...


class OptimizerFactory(Protocol):
    """Makes the update of some parameters; it can be pickled, for it travels to servers."""

    def __call__(
        self, parameters: Iterable[torch.nn.Parameter], implicit_momentum: float = 0.0
    ) -> OptimizerStep:
        """`implicit_momentum` is taken off the momentum that the config asks for, down to zero."""
        ...


@dataclass(frozen=True)
class DataShard:
    """Which part of every batch a worker reads: its member's part of its group's part."""

    group: int = 0
    num_groups: int = 1
    rank: int = 0
    group_size: int = 1


class Communicator(Protocol):
    """Who learns together. The training loop does not know which one it runs.

    Ranks are workers or servers; workers form groups whose members go step by step together.
    `Collective` calls are made by all workers in the same order; any other by each for itself.
    Its factory raises `BaryonError` if the ranks that were started do not suit it.
    """

    @property
    def is_server(self) -> bool:
        """True on a rank that holds weights for others and calls `serve` instead of training."""
        ...

    @property
    def is_leader(self) -> bool:
        """True on the one worker that writes the run's files and speaks.

        It changes when that worker dies and another takes its place.
        """
        ...

    @property
    def shard(self) -> DataShard:
        """This worker's part of each batch. It changes when workers die."""
        ...

    def all_gather_object(self, value: Any) -> list[Any]:
        """Every rank's value, servers' too, in rank order on all. Before `start` or `serve`."""
        ...

    def start(self, model: torch.nn.Module, update: OptimizerFactory) -> None:
        """Once, before the first step: all ranks hold the leader's weights. Collective."""
        ...

    def begin(self, step: int, samples: int, batch_size: int, *, stop: bool) -> None:
        """Before the backward of a step: gradients may leave from now on.

        `samples` are this worker's of the `batch_size` that all workers take in this step; the
        gradient is to be their mean. A worker may have none, as may all if theirs are skipped:
        then there is no backward.
        `stop` asks all workers to stop.
        """
        ...

    def step(self) -> bool:
        """After backward: then the weights are those of the next step.

        True if all workers stop after this very step.
        """
        ...

    def synchronize(self) -> None:
        """All workers come to hold the same weights, those to evaluate and save. Collective."""
        ...

    def serve(self) -> None:
        """On a server rank: answer the workers until they have all finished."""
        ...

    def all_reduce_sum(
        self, values: Mapping[str, float], *, in_group: bool = False
    ) -> dict[str, float]:
        """The sum of each value over all workers, the same on every one. Collective.

        `in_group`: over the members of this worker's group alone, who are at the same step.
        """
        ...

    def gather(self, value: Any) -> list[Any]:
        """On the leader every worker's value in order, elsewhere an empty list. Collective."""
        ...

    def broadcast(self, value: Any) -> Any:
        """The leader's value on every worker. Collective."""
        ...

    def metrics(self) -> dict[str, float]:
        """What was measured since the last call, numbers by name; for the log."""
        ...

    def summary(self) -> CommunicatorSummary:
        """What there is to say of the whole run, on the leader. Collective."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """`optimizer`: the optimiser's state by parameter name; complete on the leader. Collective.

        After `settle`. Whatever else a communicator puts beside it, others pass over.
        """
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`, of this or another communicator, and the model's weights.

        After `start`. Collective.
        """
        ...

    def abort(self, message: str) -> None:
        """Say it once for all ranks and end them all; returns in a world of one."""
        ...

    def close(self) -> None:
        """Leave in good order. Collective."""
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
    """Figures by the field's names; written to `metrics.json`.

    Numbers of Python, NumPy or PyTorch without axes; NaN where one is not known. Beside `x` may
    stand its standard deviation `x_error`, or the ends `x_low` and `x_high` of its 68 % interval.
    """
    tables: Mapping[str, Table] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    """Matplotlib figures by file name, without slashes.

    A figure's label (`Figure.set_label`) becomes its caption in the report.
    """
    warnings: Sequence[str] = ()
    judged_by: Sequence[str] = ()
    """Metrics that say which of two runs is better, the decisive one first.

    `-x` where less is better. Runs are compared by the first that all of them know.
    """


@dataclass(frozen=True)
class CommunicatorSummary:
    """What a communicator has to say of a run; shown with the evaluation."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    warnings: Sequence[str] = ()


class Evaluator(Protocol):
    """What it means to the field.

    Its factory may name a predictor, `predictor = "module:factory"`, and ship its defaults as
    `conf/predict/<name>.yaml`: `baryon predict` calls it with these keys; see `Predictor`.
    """

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
        """The answer on all that was taken in. Raises `BaryonError` if there is too little.

        Before a run begins it is asked once about a few samples, to see that it can answer.
        """
        ...


class Predictor(Protocol):
    """What a trained model says of new samples, as files that the field's other tools read.

    Every worker makes one and calls `predict` on its batches; the leader's `write` is given what
    came of all of them, in the order of the samples.
    """

    def predict(self, output: Any, batch: Batch) -> Any:
        """What is to be written of one batch (both on the CPU), picklable."""
        ...

    def write(self, predictions: Iterator[Any], folder: Path) -> str:
        """Write into an empty folder what there is to say, and sum it up in one sentence.

        `predictions` come batch by batch while they are computed: keep only what is small. The
        folder takes its final name when all is written. Raises `BaryonError` for a prediction that
        is none.
        """
        ...
