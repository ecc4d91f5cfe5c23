"""Optuna's study of a sweep, in a file of its folder that the jobs on any node can open.

The sweep asks it for trials and tells it their values; a job reports its validations to it and asks
whether to go on. The study is a journal file, for SQLite on a network file system loses writes.
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
from baryon.errors import BaryonError, format_error
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
"""Shape of `optuna.json`."""
JOB = "job"
"""Attribute of a trial that holds the id of its job."""


def import_optuna() -> Any:
    """Return the module, with a quiet log. Raises `BaryonError` if it is not installed."""
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
    """What a job needs to know of the study that it belongs to; see `conf/sweep/optuna.yaml`."""

    metric: str
    direction: str
    pruner: str
    startup_trials: int
    warmup_epochs: int


def about(settings: Optuna) -> About:
    """Return what the jobs of a sweep with these settings need to know."""
    return About(
        settings.metric,
        settings.direction or "minimize",
        settings.pruner,
        settings.startup_trials,
        settings.warmup_epochs,
    )


def write_about(folder: Path, study: About) -> None:
    """Write `optuna.json` into the folder of the sweep, for the jobs."""
    write_json(folder / ABOUT, asdict(study))


def read_about(folder: Path) -> About | None:
    """Read `optuna.json` from the folder of a sweep; None in a sweep that is no study.

    Raises `BaryonError` for a damaged file.
    """
    path = folder / ABOUT
    if not path.is_file():
        return None
    stored = read_json(path)
    if not fits(stored, SHAPE):
        raise BaryonError(f"{path} cannot be read (it is not what a sweep writes)")
    return About(**{key: stored[key] for key in SHAPE})


def mend_journal(folder: Path) -> None:
    """Drop the lines of the journal that a power cut left half written.

    Optuna reads nothing beyond such a line. Nobody has acted on what it would have said: it was
    being written when everything ended. A copy of the damaged journal stays beside the mended one.
    Called by the process that has locked the sweep, before any job.
    """
    path = folder / JOURNAL
    if not path.exists():
        return
    content = read_bytes(path, LARGEST_LOG)
    lines = content.splitlines(keepends=True)
    whole = [line for line in lines if _is_operation(line)]
    if len(whole) == len(lines):
        return
    copy = path.with_name(f"{JOURNAL}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    with atomic_write(copy) as temporary:
        temporary.write_bytes(content)
    with atomic_write(path) as temporary:
        temporary.write_bytes(b"".join(whole))
    warn(
        f"{path} had {len(lines) - len(whole)} damaged lines, as a power cut leaves them; they "
        f"were dropped, and {copy.name} is a copy of the file as it was"
    )


def _is_operation(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(parse_json(line.decode()), dict)
    except ValueError:
        return False


def open_study(folder: Path, study: About) -> optuna.Study:
    """Open the study of this metric, or begin it; another metric is another study.

    Raises `BaryonError` for a journal that Optuna cannot read.
    """
    try:
        opened = _open_study(folder, study)
        opened.get_trials(deepcopy=False)
    except BaryonError:
        raise
    except Exception as error:  # Optuna checks nothing of what it reads
        raise BaryonError(
            f"{folder / JOURNAL} cannot be read ({format_error(error)}): begin a new sweep by "
            "sweep.fresh=true"
        ) from error
    return opened


def _open_study(folder: Path, study: About) -> optuna.Study:
    library = import_optuna()
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    pruner: Any = library.pruners.NopPruner()
    if study.pruner == "median":
        pruner = library.pruners.MedianPruner(
            n_startup_trials=study.startup_trials, n_warmup_steps=study.warmup_epochs
        )
    opened: optuna.Study = library.create_study(
        storage=JournalStorage(JournalFileBackend(str(folder / JOURNAL))),
        study_name=f"{study.direction} {study.metric}",
        direction=study.direction,
        pruner=pruner,
        load_if_exists=True,
    )
    return opened


def sampler(settings: Optuna, seed: int) -> BaseSampler:
    """Return a new sampler: TPE, or random values."""
    library = import_optuna()
    if settings.sampler == "random":
        return library.samplers.RandomSampler(seed=seed)  # type: ignore[no-any-return]
    return library.samplers.TPESampler(  # type: ignore[no-any-return]
        seed=seed, n_startup_trials=settings.startup_trials
    )


class Pruning:
    """Tells a job after each validation whether it is not worth going on with."""

    def __init__(self, folder: Path, study: About, job: str) -> None:
        self._folder, self._about, self._job = folder, study, job

    @cached_property
    def _trial(self) -> optuna.Trial | None:
        """The job's trial; None if the job is done again outside of a study."""
        library = import_optuna()
        study = open_study(self._folder, self._about)
        running = library.trial.TrialState.RUNNING
        for frozen in study.get_trials(deepcopy=False, states=(running,)):
            if frozen.user_attrs.get(JOB) == self._job:
                trial: optuna.Trial = library.trial.Trial(study, frozen._trial_id)
                return trial
        return None

    def __call__(self, epoch: int, values: Mapping[str, float]) -> bool:
        """Report a validation, and return whether to stop."""
        loss = float(values["loss"])
        if self._trial is None or not math.isfinite(loss):  # which the run itself judges
            return False
        # A resumed job validates an epoch again; Optuna takes one value of each.
        if epoch not in self._trial.storage.get_trial(self._trial._trial_id).intermediate_values:
            worse = -1 if self._about.direction == "maximize" else 1
            self._trial.report(worse * loss, epoch)
        return bool(self._trial.should_prune())


def pruning(job_folder: Path, job: str) -> Pruning | None:
    """Return what a job calls after each validation; None where nothing prunes."""
    study = read_about(job_folder.parent)
    if study is None or study.pruner == "none":
        return None
    return Pruning(job_folder.parent, study, job)
