"""Optuna's study of a sweep, in a file of its folder that the jobs on any node can open.

The sweeper asks it for trials and tells it their values; a job reports its validations to it and
asks whether to go on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baryon.config.schemas import DIRECTIONS, PRUNERS, Optuna
from baryon.errors import BaryonError
from baryon.errors import format_error as described
from baryon.runs.directory import write_json
from baryon.system.atomic import atomic_write
from baryon.system.plain_data import (
    LARGEST_LOG,
    Shape,
    fits,
    is_count,
    is_text,
    parse_json,
    read_bytes,
    read_json,
)
from baryon.terminal.console import warn

if TYPE_CHECKING:
    import optuna
    from optuna.samplers import BaseSampler

JOURNAL, ABOUT = "optuna.journal", "optuna.json"
SHAPE: dict[str, Shape] = {
    "metric": is_text, "direction": lambda word: word in DIRECTIONS,
    "pruner": lambda word: word in PRUNERS, "startup_trials": is_count, "warmup_epochs": is_count,
}  # fmt: skip
"""What `optuna.json` holds."""
JOB = "job"
"""The attribute of a trial that names its job."""


def optuna_itself() -> Any:
    """The library, with a quiet log. Raises `BaryonError` if it is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise BaryonError(
            f"sweep=optuna needs Optuna ({error}): pip install 'baryon[sweeps]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


@dataclass(frozen=True)
class About:
    """What a job needs to know of the study that it belongs to."""

    metric: str
    direction: str
    pruner: str
    startup_trials: int
    warmup_epochs: int


def about(settings: Optuna) -> About:
    """From the sweep's settings."""
    return About(
        settings.metric,
        settings.direction or "minimize",
        settings.pruner,
        settings.startup_trials,
        settings.warmup_epochs,
    )


def write_about(folder: Path, told: About) -> None:
    """For the jobs."""
    write_json(folder / ABOUT, asdict(told))


def read_about(folder: Path) -> About | None:
    """None in a sweep that is no study."""
    path = folder / ABOUT
    if not path.is_file():
        return None
    stored = read_json(path)
    if not fits(stored, SHAPE):
        raise BaryonError(f"{path} cannot be read (it is not what a sweep writes)")
    return About(**{key: stored[key] for key in SHAPE})


def mend_journal(folder: Path) -> None:
    """Leave out the lines of the journal that a power cut left half written.

    Optuna reads past none of them. What such a line would have said nobody has acted on: it was
    being written when everything ended. The journal as it was stays beside the mended one. Called
    by the process that holds the sweep, before any job.
    """
    path = folder / JOURNAL
    if not path.exists():
        return
    content = read_bytes(path, LARGEST_LOG)
    lines = content.splitlines(keepends=True)
    whole = [line for line in lines if _is_operation(line)]
    if len(whole) == len(lines):
        return
    damaged = path.with_name(f"{JOURNAL}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    with atomic_write(damaged) as temporary:
        temporary.write_bytes(content)
    with atomic_write(path) as temporary:
        temporary.write_bytes(b"".join(whole))
    warn(
        f"{path} had {len(lines) - len(whole)} damaged lines, as a power cut leaves them: they are "
        f"left out, and {damaged.name} is as it was"
    )


def _is_operation(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(parse_json(line.decode()), dict)
    except ValueError:
        return False


def open_study(folder: Path, told: About) -> optuna.Study:
    """The study of this metric, as far as it has come; another metric is another study.

    Raises `BaryonError` for a journal that Optuna cannot read.
    """
    try:
        study = _open_study(folder, told)
        study.get_trials(deepcopy=False)
    except BaryonError:
        raise
    except Exception as error:  # Optuna checks nothing of what it reads
        raise BaryonError(
            f"{folder / JOURNAL} cannot be read ({described(error)}): begin a new sweep by "
            "sweep.fresh=true"
        ) from error
    return study


def _open_study(folder: Path, told: About) -> optuna.Study:
    library = optuna_itself()
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    pruner: Any = library.pruners.NopPruner()
    if told.pruner == "median":
        pruner = library.pruners.MedianPruner(
            n_startup_trials=told.startup_trials, n_warmup_steps=told.warmup_epochs
        )
    study: optuna.Study = library.create_study(
        storage=JournalStorage(JournalFileBackend(str(folder / JOURNAL))),
        study_name=f"{told.direction} {told.metric}",
        direction=told.direction,
        pruner=pruner,
        load_if_exists=True,
    )
    return study


def sampler(settings: Optuna, seed: int) -> BaseSampler:
    """A fresh one for each trial: what it suggests then depends on the seed and the trials before.

    So a sweep that was interrupted goes on as if it had not been.
    """
    library = optuna_itself()
    if settings.sampler == "random":
        return library.samplers.RandomSampler(seed=seed)  # type: ignore[no-any-return]
    return library.samplers.TPESampler(  # type: ignore[no-any-return]
        seed=seed, n_startup_trials=settings.startup_trials
    )


class Pruning:
    """Called by a job with each of its validations; true when it is not worth going on with."""

    def __init__(self, folder: Path, told: About, job: str) -> None:
        self._folder, self._about, self._job = folder, told, job

    @cached_property
    def _trial(self) -> optuna.Trial | None:
        """The job's trial; none if the job is done again outside of a study."""
        library = optuna_itself()
        study = open_study(self._folder, self._about)
        running = library.trial.TrialState.RUNNING
        for trial in study.get_trials(deepcopy=False, states=(running,)):
            if trial.user_attrs.get(JOB) == self._job:
                found: optuna.Trial = library.trial.Trial(study, trial._trial_id)
                return found
        return None

    def __call__(self, epoch: int, values: Mapping[str, float]) -> bool:
        """After a validation; a loss that is no number is for the run itself to judge."""
        loss = float(values["loss"])
        if self._trial is None or not math.isfinite(loss):
            return False
        if epoch not in self._trial.storage.get_trial(self._trial._trial_id).intermediate_values:
            worse = -1 if self._about.direction == "maximize" else 1
            self._trial.report(worse * loss, epoch)
        return bool(self._trial.should_prune())


def pruning(job_folder: Path, job: str) -> Pruning | None:
    """What a job asks; None where nothing prunes."""
    told = read_about(job_folder.parent)
    if told is None or told.pruner == "none":
        return None
    return Pruning(job_folder.parent, told, job)
