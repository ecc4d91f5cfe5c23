"""The host's own configuration keys with their types. Their values live in `conf/`.

OmegaConf checks names and types while a config is composed; `__post_init__` checks the ranges.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from baryon.errors import BaryonError, did_you_mean
from baryon.plugins.bounds import check_seed, check_size
from baryon.terminal.credentials import strip_credentials

OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine", "linear", "step")
PRECISIONS = ("fp32", "tf32", "bf16", "auto")
COMPILING = ("auto", "never", "always")
NONFINITE = ("stop", "skip")
WEIGHTS = ("best", "last", "ema")
DIRECTIONS = ("minimize", "maximize")
SAMPLERS = ("random", "tpe")
PRUNERS = ("median", "none")
WANDB_ONLINE = "online"
WANDB_MODES = (WANDB_ONLINE, "offline")
TRACKIO_LOCAL = "local"
TRACKIO_PLACE = re.compile(rf"{TRACKIO_LOCAL}|https?://\S+|[\w.-]+/[\w.-]+")
VALIDATION_LOSS = "validation_loss"
OF_GROUPS = ("learning_rate_scale", "weight_decay")
MOST_AT_ONCE = 1024
"""Threads, processes and batches ahead: a config may be somebody else's, and ask for any number."""
FEWEST_FOLDS = 3  # to learn from, to choose the weights by, and to be judged
MOST_FOLDS = 1000
COMPRESSIONS = ("auto", "gzip", "none", "shuffled-gzip")


@dataclass
class ParameterGroup:
    """An entry of `train.parameter_groups`: parameters with settings of their own.

    Attributes
    ----------
    pattern : of their names, or of the modules that they are in
    learning_rate_scale : what the learning rate is multiplied by
    weight_decay : None takes `train.weight_decay`

    """

    pattern: str = MISSING
    learning_rate_scale: float = 1.0
    weight_decay: float | None = None

    def __post_init__(self) -> None:
        _require("train.parameter_groups.", self, NOT_NEGATIVE, *OF_GROUPS)


# No defaults in any of these classes: they stand in `conf/` alone, where `show` reads them.
@dataclass
class Train:
    """Section `train`; see `conf/train/default.yaml` for each key's meaning."""

    epochs: int = MISSING
    steps: int | None = MISSING
    folds: int | None = MISSING
    fold: int | None = MISSING
    batch_size: int = MISSING
    accumulation_steps: int = MISSING
    optimizer: str = MISSING
    learning_rate: float = MISSING
    weight_decay: float = MISSING
    momentum: float = MISSING
    beta2: float = MISSING
    nesterov: bool = MISSING
    schedule: str = MISSING
    warmup_steps: int = MISSING
    step_epochs: int = MISSING
    step_factor: float = MISSING
    clip_norm: float | None = MISSING
    parameter_groups: list[ParameterGroup] = MISSING
    freeze: list[str] = MISSING
    device: str = MISSING
    precision: str = MISSING
    compile: str = MISSING
    channels_last: bool = MISSING
    micro_batch: int | None = MISSING
    memory_gib: float | None = MISSING
    activation_checkpointing: bool = MISSING
    nonfinite: str = MISSING
    validate_every_epochs: int = MISSING
    ema: float | None = MISSING
    init: str | None = MISSING
    init_only: list[str] = MISSING
    patience: int | None = MISSING
    min_improvement: float = MISSING
    checkpoint_every_steps: int = MISSING
    keep_checkpoints: int = MISSING
    shard_gib: float = MISSING
    weights: str = MISSING
    log_every_steps: int = MISSING
    profile: bool = MISSING

    def __post_init__(self) -> None:
        check_size("train", vars(self))
        check_size("train.batch_size * train.accumulation_steps", self.samples_per_step)
        _require_choice("train.optimizer", self.optimizer, OPTIMIZERS)
        _require_choice("train.schedule", self.schedule, SCHEDULES)
        _require_choice("train.precision", self.precision, PRECISIONS)
        _require_choice("train.compile", self.compile, COMPILING)
        _require_choice("train.nonfinite", self.nonfinite, NONFINITE)
        _require_choice("train.weights", self.weights, WEIGHTS)
        counts = ("epochs", "steps", "batch_size", "accumulation_steps", "step_epochs", "patience")
        sizes = ("clip_norm", "micro_batch", "memory_gib", "keep_checkpoints", "shard_gib")
        every = ("validate_every_epochs", "checkpoint_every_steps", "log_every_steps")
        _require("train.", self, ABOVE_ZERO, *counts, *sizes, *every)
        not_negative = ("learning_rate", "weight_decay", "warmup_steps", "min_improvement")
        _require("train.", self, NOT_NEGATIVE, *not_negative)
        if self.micro_batch is not None and self.memory_gib is not None:
            raise BaryonError("give train.micro_batch, or train.memory_gib to find it, not both")
        _require("train.", self, BELOW_ONE, "momentum", "beta2", "ema")
        _require_fold(self.folds, self.fold)
        if self.weights == "ema" and self.ema is None:
            raise BaryonError(
                "train.weights=ema needs an average of the weights: give train.ema=0.999"
            )
        if self.init_only and self.init is None:
            raise BaryonError(
                "train.init_only takes a part of train.init=<run folder or checkpoint>"
            )

    @property
    def samples_per_step(self) -> int:
        """Most samples of a step's batch, over all workers."""
        return self.batch_size * self.accumulation_steps


@dataclass
class Run:
    """Section `run`: where the results go."""

    root: str = MISSING
    name: str | None = MISSING


@dataclass
class Tracking:
    """Section `tracking`: the trackers that record the run besides its own log."""

    tensorboard: bool = MISSING
    mlflow: str | None = MISSING
    wandb: str | None = MISSING
    trackio: str | None = MISSING
    experiment: str = MISSING

    def __post_init__(self) -> None:
        if self.wandb is not None:
            _require_choice("tracking.wandb", self.wandb, WANDB_MODES)
        if self.trackio is not None and not TRACKIO_PLACE.fullmatch(self.trackio):
            raise BaryonError(
                f"tracking.trackio={strip_credentials(self.trackio)!r:.80} is none of: "
                f"{TRACKIO_LOCAL}, a server (http://host:7860), a Space (user/name)"
            )
        if not self.experiment.strip():
            raise BaryonError("tracking.experiment must have a name")


def _is_stratify(value: Any) -> bool:
    numbers = [*value.keys(), *value.values()] if isinstance(value, dict) else [None]
    whole = all(isinstance(number, int) and not isinstance(number, bool) for number in numbers)
    return whole and all(count > 0 for count in value.values())


@dataclass
class Data:
    """Section `data`: how samples are read."""

    window_mib: float = MISSING
    prefetch: int = MISSING
    threads: int | None = MISSING
    processes: int = MISSING
    stage: str | None = MISSING
    stage_mib: float = MISSING
    follow_links: bool = MISSING
    # Of any type for OmegaConf, which merges no mapping into a typed one that is null.
    stratify: Any = MISSING

    def __post_init__(self) -> None:
        check_size("data", vars(self))
        _require("data.", self, ABOVE_ZERO, "window_mib", "prefetch", "threads", "stage_mib")
        _require("data.", self, NOT_NEGATIVE, "processes")
        _require("data.", self, STRATA, "stratify")
        _require("data.", self, FEW_AT_ONCE, "threads", "processes", "prefetch")


@dataclass
class Sweep:
    """Section `sweep`; see `conf/sweep/grid.yaml` for each key's meaning."""

    method: str = MISSING
    name: str | None = MISSING
    fresh: bool = MISSING
    fail_fast: bool = MISSING
    metric: str = MISSING
    direction: str | None = MISSING

    def __post_init__(self) -> None:
        if self.direction is not None:
            _require_choice("sweep.direction", self.direction, DIRECTIONS)
        elif self.metric != VALIDATION_LOSS:
            raise BaryonError(
                f"sweep.metric={self.metric} does not say which values are better: give "
                "sweep.direction=minimize or sweep.direction=maximize"
            )
        if self.name is not None and not re.fullmatch(r"[\w.+-]+", self.name):
            raise BaryonError(
                f"sweep.name={self.name!r} names a folder: letters, digits, '.', '+', '-' and '_'"
            )


@dataclass
class Optuna(Sweep):
    """Section `sweep` of a search; see `conf/sweep/optuna.yaml` for each key's meaning."""

    trials: int = MISSING
    sampler: str = MISSING
    pruner: str = MISSING
    startup_trials: int = MISSING
    warmup_epochs: int = MISSING

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size("sweep", vars(self))
        _require_choice("sweep.sampler", self.sampler, SAMPLERS)
        _require_choice("sweep.pruner", self.pruner, PRUNERS)
        _require("sweep.", self, ABOVE_ZERO, "trials")
        _require("sweep.", self, NOT_NEGATIVE, "startup_trials", "warmup_epochs")


@dataclass
class Launch:
    """Section `launch`: where jobs of a sweep run; see `conf/launch/` for each key's meaning."""

    launcher: str = MISSING
    ranks: int = MISSING

    def __post_init__(self) -> None:
        check_size("launch", vars(self))
        numbers = [key for key, value in vars(self).items() if isinstance(value, int)]
        _require("launch.", self, ABOVE_ZERO, *(key for key in numbers if key != "max_num_timeout"))


@dataclass
class LaunchOnCores(Launch):
    """Section `launch` with `launch=cores`."""

    jobs: int | None = MISSING


@dataclass
class LaunchOnCluster(Launch):
    """What the sections `launch` of all batch systems have in common."""

    nodes: int = MISSING
    jobs: int = MISSING
    account: str | None = MISSING
    timeout_min: int = MISSING
    cpus_per_task: int | None = MISSING
    gpus_per_node: int | None = MISSING
    mem_gb: int | None = MISSING
    signal_delay_s: int = MISSING
    max_num_timeout: int = MISSING
    setup: list[str] = MISSING

    def __post_init__(self) -> None:
        super().__post_init__()
        _require("launch.", self, NOT_NEGATIVE, "max_num_timeout")
        if self.ranks % self.nodes:
            raise BaryonError(
                f"launch.ranks={self.ranks} is no multiple of launch.nodes={self.nodes}: every "
                "node of a job gets as many ranks"
            )


@dataclass
class LaunchBySlurm(LaunchOnCluster):
    """Section `launch` with `launch=slurm`: besides the common keys the options of `sbatch`."""

    partition: str | None = MISSING
    qos: str | None = MISSING
    constraint: str | None = MISSING
    gres: str | None = MISSING
    sbatch: dict[str, str] = MISSING


@dataclass
class LaunchByScript(LaunchOnCluster):
    """Section `launch` with `launch=pbs` or `launch=lsf`: what the script of a job is made of."""

    template: str | None = MISSING
    mpiexec: str = MISSING
    queue: str | None = MISSING
    directives: list[str] = MISSING

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.signal_delay_s >= self.timeout_min * 60:
            raise BaryonError(
                f"launch.signal_delay_s={self.signal_delay_s} must be less than the time of a job, "
                f"launch.timeout_min={self.timeout_min}"
            )
        texts = [("queue", self.queue), ("account", self.account)]
        for key, line in [*texts, *(("directives", line) for line in self.directives)]:
            if line is not None and len(line.splitlines()) != 1:
                raise BaryonError(f"launch.{key} must be a line of a job's script, and not empty")


@dataclass
class Repack:
    """The config of `baryon data repack`; see `conf/data_repack.yaml` for each key's meaning."""

    file: str = MISSING
    out: str = MISSING
    chunk_mib: float = MISSING
    compression: str = MISSING
    level: int = MISSING
    shuffle: bool = MISSING
    seed: int = MISSING
    memory_mib: float = MISSING

    def __post_init__(self) -> None:
        _require_choice("compression", self.compression, COMPRESSIONS)
        _require("", self, ABOVE_ZERO, "chunk_mib", "memory_mib")
        _require("", self, GZIP_LEVEL, "level")
        check_seed("seed", self.seed)


@dataclass
class Root:
    """The whole of a run's config; the five choices are typed by their factories."""

    seed: int = MISSING
    train: Train = MISSING
    run: Run = MISSING
    data: Data = MISSING
    # Typed when a sweep reads them: their schema depends on the option that is chosen.
    sweep: dict[str, Any] = MISSING
    launch: dict[str, Any] = MISSING
    tracking: Tracking = MISSING
    dataset: dict[str, Any] = MISSING
    model: dict[str, Any] = MISSING
    loss: dict[str, Any] = MISSING
    comm: dict[str, Any] = MISSING
    evaluator: dict[str, Any] = MISSING


@dataclass(frozen=True)
class _Rule:
    """What values must be, in words and as a predicate; NaN fulfils none."""

    words: str
    holds: Callable[[Any], bool]


ABOVE_ZERO = _Rule("above 0", lambda value: value > 0)
NOT_NEGATIVE = _Rule("0 or more", lambda value: value >= 0)
BELOW_ONE = _Rule("in [0, 1)", lambda value: 0 <= value < 1)
FEW_AT_ONCE = _Rule(f"{MOST_AT_ONCE} or less", lambda value: value <= MOST_AT_ONCE)
GZIP_LEVEL = _Rule("from 1 to 9", lambda value: 1 <= value <= 9)
STRATA = _Rule(
    "a mapping such as {1: 4}, of strata to samples of them in every batch, or null", _is_stratify
)


def _require(prefix: str, section: Any, rule: _Rule, *keys: str) -> None:
    """Raise `BaryonError` for the first of the keys whose value breaks the rule; null is none."""
    for key in keys:
        value = getattr(section, key)
        if value is not None and not rule.holds(value):
            raise BaryonError(f"{prefix}{key}={value} must be {rule.words}")


def _require_fold(folds: int | None, fold: int | None) -> None:
    """Raise `BaryonError` unless `train.fold` is one of `train.folds`, or neither is given."""
    if folds is None and fold is not None:
        raise BaryonError(f"train.fold={fold} is one of several: give train.folds=<their number>")
    if folds is None:
        return
    if not FEWEST_FOLDS <= folds <= MOST_FOLDS:
        raise BaryonError(f"train.folds={folds} must be from {FEWEST_FOLDS} to {MOST_FOLDS}")
    if fold is None:
        raise BaryonError(
            f"train.folds={folds} makes {folds} runs: add -m (in Python: baryon.sweep) to train "
            f"them all and judge them together, or choose one by train.fold=0"
        )
    if not 0 <= fold < folds:
        raise BaryonError(f"train.fold={fold} must be from 0 to {folds - 1}: there are {folds}")


def _require_choice(key: str, value: str, names: Sequence[str]) -> None:
    if value not in names:
        raise BaryonError(f"{key}={value} is not known; {did_you_mean(names, value)}")
