"""Define what a component of each of the five kinds must provide, and what passes between them.

Factories take keyword-only arguments without defaults: the option's YAML is the one place where
defaults live. Factories of some kinds may also receive run-time arguments from the host
(`RUNTIME_ARGUMENTS`); a factory names those that it wants in its signature.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

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
"""Arguments that a factory may ask the host for, by kind of component, with their meaning."""

# In quotes: plugins import this module at discovery, which must not wait for PyTorch.
Batch: TypeAlias = "Mapping[str, torch.Tensor]"
"""A batch of N samples; every tensor has N as its first axis.

Two names are reserved: `inputs`, the argument of the model, and `keys` (N,) int64, the row numbers
of the samples in their split. All others (`label`, `weight`, ...) are defined by the dataset and
read by the losses and evaluators of its field.
"""

Arrays: TypeAlias = "Mapping[str, np.ndarray]"
"""A batch as NumPy arrays, before it becomes tensors; the host adds `keys`."""


@dataclass(frozen=True, slots=True)
class Field:
    """One entry of a batch: the shape of a single sample and the name of its NumPy dtype."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Normalisation:
    """How a split scales the values of its files: `inputs = (stored - offset) / scale`.

    One number for each channel, the first axis of a sample, in the order of the channels.
    """

    channels: tuple[str, ...]
    """Names of the channels, with their units where they have any."""
    offset: tuple[float, ...]
    scale: tuple[float, ...]


@dataclass(frozen=True)
class StorageInfo:
    """How one member (a field of a split) is stored in one file."""

    path: Path
    member: str
    shape: tuple[int, ...]
    """Shape of the whole member; the first axis counts the samples."""
    dtype: str
    item: int
    """Bytes of one number."""
    chunk: tuple[int, ...] | None
    """Shape of a stored chunk; None if the member is stored contiguously."""
    filters: tuple[str, ...]
    stored_bytes: int
    """Bytes in the file, after compression."""
    direct_read_blocker: str
    """Why only one thread can read it at a time; empty if several can."""

    @property
    def sample_bytes(self) -> int:
        """Decoded bytes of one sample."""
        return self.item * prod(self.shape[1:])

    @property
    def decoded_bytes(self) -> int:
        """Decoded bytes of all samples."""
        return self.sample_bytes * self.shape[0]

    @property
    def chunk_bytes(self) -> int:
        """Decoded bytes of a chunk, or of one sample if the member is stored contiguously."""
        return self.item * prod(self.chunk) if self.chunk else self.sample_bytes


class Split(ABC):
    """Base class of one split of a dataset: a table of samples (rows), stored in chunks.

    A split knows nothing of ranks, shuffling, batches or devices; `baryon.data` handles those.
    A subclass must define `fields`, `__len__`, `chunk_starts`, `read` and `fingerprint`. All other
    members have defaults and are optional.

    Notes
    -----
    `read` may be called from another thread than the one that opened the split, but by one thread
    at a time unless `parallel_reads` is true.

    With `data.processes` a split is pickled and read in other processes. Open files and locks
    cannot be pickled: drop them in `__getstate__` and open them anew in `__setstate__`, as
    `baryon.data.hdf5.table.Hdf5Table` does.

    """

    parallel_reads: bool = False
    """Whether several threads may call `read` and `augment` at once."""

    @property
    @abstractmethod
    def fields(self) -> Mapping[str, Field]:
        """Shape and dtype of one sample of every entry that `read` returns.

        A class attribute will do where the shapes are known before any file is open.
        """

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of samples."""

    @abstractmethod
    def chunk_starts(self) -> Sequence[int]:
        """Return the first row of every stored chunk, ascending from 0.

        Reading several rows of one chunk should cost about as much as reading one of them: the
        loader reads whole chunks and shuffles their order first.
        """

    @abstractmethod
    def read(self, start: int, stop: int) -> Arrays:
        """Read the rows `start` to `stop - 1` of every field.

        Returns
        -------
        mapping of str to numpy.ndarray
            One array of shape `(stop - start, *field.shape)` and dtype `field.dtype` for each
            entry of `fields`. Any other name, shape or dtype is refused.

        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a short text that changes when the data does, such as a hash of the files' names.

        A run is resumed only on data of the same fingerprint.
        """

    def close(self) -> None:  # noqa: B027  optional: a split without files has nothing to close
        """Close the files, if any are open."""

    @property
    def augmented_fields(self) -> Mapping[str, Field]:
        """Shape and dtype of one sample after `augment`; the model is built for these.

        Override it where `augment` changes shapes, for instance by cutting crops.
        """
        return self.fields

    def augment(self, arrays: Arrays, random: np.random.Generator) -> Arrays:
        """Change the samples of a training batch at random; the default changes nothing.

        Called for every batch that a step trains on, never in validation or evaluation. The result
        must be samples that are as likely as the stored ones.

        Parameters
        ----------
        arrays
            The fields of `read` for the N samples of the batch, and `keys` (N,) int64, their rows.
        random
            The only source of random numbers to use: it makes the run reproducible.

        Returns
        -------
        mapping of str to numpy.ndarray
            The same N samples, as `augmented_fields` describes them, and `keys`.

        """
        # A method of the split, called by the loader: inside the model it would change the network
        # that is trained; inside `read` it would be frozen by the cache of chunks.
        del random
        return arrays

    def strata(self) -> np.ndarray | None:
        """Return the stratum of every sample, (N,) whole numbers, or None if samples are alike.

        `data.stratify` puts a fixed number of samples of a stratum into every training batch, such
        as labelled ones where most are not.
        """
        return None

    def fold_keys(self) -> np.ndarray | None:
        """Return the key of every sample by which folds are made, or None.

        With `train.folds` samples of one key never stand in two folds: give the events of one
        shower, the frames of one storm, the images of one patient the same key. Without an override
        (None) the key is a hash of `raw`, so that only equal samples stand together; it takes one
        pass over the data.

        Returns
        -------
        numpy.ndarray
            (N,) or (N, columns) numbers that do not depend on where a sample is stored.

        """
        return None

    def classes(self) -> Mapping[str, np.ndarray]:
        """Return the samples of each class, (N,) booleans by the class's name.

        Every fold needs some of each (`train.folds`); without an override there are no classes.
        """
        return {}

    def place(self, row: int) -> str:
        """Describe where a sample is stored, such as its file and the row there, for messages."""
        return f"sample {row}"

    def stored(self) -> Sequence[StorageInfo]:
        """Return how each member of each file is stored, for `baryon data check`."""
        return ()

    def normalisation(self) -> Normalisation | None:
        """Return how `read` scales the stored values, or None if it does not say.

        Define it together with `raw`: an exported model then takes the values of the files.
        """
        return None

    def raw(self, start: int, stop: int) -> np.ndarray:
        """Read `inputs` of the rows `start` to `stop - 1` as the files hold them.

        Returns
        -------
        numpy.ndarray
            float32, before the scaling of `normalisation`; same shape as `inputs` of `read`.

        """
        # Right where `read` scales nothing. Others read anew, instead of inverting `normalisation`:
        # an exported model is tested with these, and a wrong scale would then look right.
        return self.read(start, stop)["inputs"]


class Dataset:
    """Base class of a dataset: the splits that a run learns from and is judged by.

    The constructor (or factory) raises `BaryonError` for data that a run could not use.
    """

    generator: ClassVar[str | None] = None
    """`"module:function"` that makes the data: `baryon data generate dataset=<name>` calls it.

    Its arguments and their defaults are the keys of `conf/generate/<name>.yaml`. The attribute is
    read from the factory, whether that is this class or a function.
    """

    splits: Mapping[str, Split]
    """The splits by name: `train` is required, `val` and `test` are used if present."""

    def open_input(self, files: Sequence[str]) -> Split | None:
        """Open other files for `baryon predict`, read in the same way as the run's own.

        The files need not hold more than the inputs of the model. Without an override (None) they
        are opened as the argument `test` of the factory, so they must then be complete.

        Parameters
        ----------
        files
            Paths or glob patterns.

        Raises
        ------
        BaryonError
            If the files cannot be read or do not suit the model.

        """
        # A method of the living dataset: it alone knows how the training data was scaled.
        del files
        return None


Model: TypeAlias = "torch.nn.Module"
"""The network that is trained: an ordinary module, called with `batch["inputs"]`."""


class Loss(Protocol):
    """Training objective: maps the model output and the batch to named scalar loss terms."""

    def __call__(self, output: Any, batch: Batch) -> Mapping[str, torch.Tensor]:
        """Return the loss terms by name, each a scalar tensor that includes its own factor.

        The host logs each term under its name and minimises their sum.

        Notes
        -----
        Each term must be a mean over the samples of the batch, not a sum. Several workers each take
        a part of a batch, and the mean of their terms, weighted by their numbers of samples, must
        equal the term of the whole batch.

        """
        ...


class OptimizerStep(Protocol):
    """An optimizer of some parameters, with its gradient clipping and learning-rate schedule."""

    def apply(self, step: int) -> None:
        """Clip the gradients, update the weights at the rate of this step, clear the gradients.

        Parameters
        ----------
        step
            Step of the run, counted from 0; it determines the learning rate. The optimizer's own
            counters (Adam's bias correction) count the calls instead.

        """
        ...

    def momentum_lookahead(self) -> Sequence[torch.Tensor]:
        """Return what momentum alone would add to each parameter at the next call of `apply`."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the state; `parameters` lists the optimizer's state of each parameter in order."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        ...


class OptimizerFactory(Protocol):
    """Builds the optimizer of some parameters.

    It can be pickled, because it is sent to parameter servers.
    """

    # A factory, where an optimizer would do for one process: a parameter server builds one for each
    # of its layers, and clipping, schedule and state travel with it.

    def __call__(
        self, parameters: Iterable[tuple[str, torch.nn.Parameter]], implicit_momentum: float = 0.0
    ) -> OptimizerStep:
        """Build the optimizer of `parameters`.

        Parameters
        ----------
        parameters
            The parameters to update, each with its name in the model (`Module.named_parameters`),
            which decides its learning rate and weight decay. Those that need no gradient may be
            left out.
        implicit_momentum
            Momentum that asynchronous updates already cause. It is subtracted from the momentum of
            the config, down to zero.

        """
        ...


@dataclass(frozen=True)
class DataShard:
    """The part of every batch that a worker reads: its rank's part of its group's part.

    The workers form `num_groups` groups of `group_size` ranks; `group` and `rank` count from 0.
    """

    group: int = 0
    num_groups: int = 1
    rank: int = 0
    group_size: int = 1


class Communicator(Protocol):
    """Connects the processes of a run; the training loop does not know which one it uses.

    Each rank is a worker or a server. Workers form groups whose members take each step together.
    All workers make the calls marked *collective* in the same order; every other call is made by
    each worker on its own. The factory raises `BaryonError` if the number of ranks does not suit
    it.
    """

    @property
    def is_server(self) -> bool:
        """Whether this rank holds weights for others and calls `serve` instead of training."""
        ...

    @property
    def is_leader(self) -> bool:
        """Whether this is the one worker that writes the run's files and prints messages.

        Another worker becomes the leader if this one dies.
        """
        ...

    @property
    def shard(self) -> DataShard:
        """This worker's part of each batch. It changes when workers die."""
        ...

    def all_gather_object(self, value: Any) -> list[Any]:
        """Return the value of every rank, servers included, in rank order on all ranks.

        To be called before `start` or `serve`. Collective over all ranks.
        """
        ...

    def start(self, model: torch.nn.Module, make_optimizer: OptimizerFactory) -> None:
        """Give all workers the leader's weights, once, before the first step. Collective."""
        ...

    def begin(self, step: int, samples: int, batch_size: int, *, stop: bool) -> None:
        """Prepare for the backward pass of a step: gradients may be sent from now on.

        Parameters
        ----------
        step
            Step of the run, counted from 0.
        samples
            Samples of this worker in this step. With 0, because it has none or skips them, there
            is no backward pass.
        batch_size
            Samples of all workers in this step; the gradient is to be the mean over these.
        stop
            Ask all workers to stop.

        """
        ...

    def step(self) -> bool:
        """Update the weights after the backward pass; on return they are those of the next step.

        Returns
        -------
        bool
            True if all workers stop after this very step.

        """
        ...

    def synchronize(self) -> None:
        """Give all workers the same weights, the ones to evaluate and to save. Collective."""
        ...

    def serve(self) -> None:
        """Answer the workers until they have all finished. Only called on a server rank."""
        ...

    def all_reduce_sum(
        self, values: Mapping[str, float], *, in_group: bool = False
    ) -> dict[str, float]:
        """Return the sum of each value over all workers, the same on every one. Collective.

        With `in_group` the sums are over the members of this worker's group only, who are at the
        same step.
        """
        # Not means: a sum of losses over a sum of counts is right for unequal batches, too.
        ...

    def gather(self, value: Any) -> list[Any]:
        """Return every worker's value in order on the leader, elsewhere []. Collective."""
        ...

    def broadcast(self, value: Any) -> Any:
        """Return the leader's value on every worker. Collective.

        Raises
        ------
        LeaderDiedError
            On all workers, if the leader dies meanwhile.

        """
        ...

    def metrics(self) -> dict[str, float]:
        """Return what was measured since the last call, numbers by name, for the log."""
        ...

    def summary(self) -> CommunicatorSummary:
        """Return the leader's report about the whole run, to be shown with the evaluation.

        Collective.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint, complete on the leader. Collective.

        To be called after `synchronize`. `optimizer` holds the optimizer's state by parameter name;
        other entries are ignored by other communicators.
        """
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state of this or another communicator, and take up the model's weights.

        To be called after `start`. Collective.
        """
        ...

    def abort(self, message: str) -> None:
        """Print the message once for all ranks and end them all; return if there is one rank."""
        ...

    def close(self) -> None:
        """End the communication in good order. Collective."""
        ...


@dataclass(frozen=True)
class Table:
    """A table of results; cells are text or numbers, which the reader of the table formats."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | int]]
    caption: str = ""


@dataclass(frozen=True)
class Curve:
    """A curve with its band of uncertainty, which pages draw over those of other runs.

    At most `LARGEST_CURVE` points; a value that is not known is NaN.
    """

    x: Sequence[float]
    y: Sequence[float]
    x_label: str
    y_label: str
    low: Sequence[float] = ()
    """Lower end of the 68 % interval of each `y`, if it is known."""
    high: Sequence[float] = ()
    """Upper end of the 68 % interval of each `y`, if it is known."""
    log: bool = False
    """Whether `y` is drawn on a logarithmic axis."""


LARGEST_CURVE = 2_000
"""Points of a `Curve`, at most: more than a page is wide would not be seen."""


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation in the terms of its field."""

    summary: str
    """The answer in one sentence."""
    metrics: Mapping[str, float]
    """Figures by the names that the field uses; written to `metrics.json`.

    Python, NumPy or PyTorch numbers without axes; NaN where one is not known. A figure `x` may be
    accompanied by its standard deviation `x_error`, or by the ends `x_low` and `x_high` of its 68 %
    interval.
    """
    tables: Mapping[str, Table] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    """Matplotlib figures by file name, without slashes.

    A figure's label (`Figure.set_label`) becomes its caption in the report.
    """
    curves: Mapping[str, Curve] = field(default_factory=dict)
    """Curves by name, such as `roc`: runs that have a curve of the same name are compared by it."""
    warnings: Sequence[str] = ()
    judged_by: Sequence[str] = ()
    """Metrics that say which of two runs is better, the decisive one first.

    `-x` where less is better. Runs are compared by the first that all of them know.
    """


@dataclass(frozen=True)
class CommunicatorSummary:
    """The report of a communicator about a whole run; shown with the evaluation."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    warnings: Sequence[str] = ()


class Evaluator(Protocol):
    """Judges a trained model in the terms of its field, batch by batch.

    The factory may name a predictor, `predictor = "module:factory"`: `baryon predict` calls it with
    the keys of `conf/predict/<name>.yaml`; see `Predictor`.
    """

    # As a dataset names its generator: both depend on what an output means to the field, and a kind
    # of component for it would have to be chosen in every config.

    def update(self, output: Any, batch: Batch) -> None:
        """Account for the model's output on one batch; both are on the CPU."""
        ...

    def state(self) -> Any:
        """Return everything accounted for so far, as something that can be pickled."""
        ...

    def merge(self, state: Any) -> None:
        """Account for what the evaluator of another rank has seen: its `state`."""
        ...

    def result(self) -> Evaluation:
        """Return the result over all samples seen.

        It is also asked once about a few samples before a run begins, as a test.

        Raises
        ------
        BaryonError
            If there are too few samples for a result.

        """
        ...


class Predictor(Protocol):
    """Writes what a trained model predicts for new samples, in formats of its field.

    Every worker builds one and calls `predict` on its batches. The leader's `write` receives the
    predictions of all workers in the order of the samples.
    """

    # One call over an iterator, not one a batch: `with` blocks around the files end in good order
    # whatever happens, and a predictor that stopped early is told from one that is done.

    def predict(self, output: Any, batch: Batch) -> Any:
        """Return what is to be written of one batch, as something that can be pickled.

        Both arguments are on the CPU.
        """
        ...

    def write(self, predictions: Iterator[Any], folder: Path) -> str:
        """Write the predictions into an empty folder and summarise them in one sentence.

        Parameters
        ----------
        predictions
            What `predict` returned, batch by batch, while later batches are being computed: do not
            collect anything large.
        folder
            An empty folder. It gets its final name when everything is written.

        Raises
        ------
        BaryonError
            If something among the predictions cannot be written.

        """
        ...
