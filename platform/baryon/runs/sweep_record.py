"""Read a sweep as reports show it: its `sweep.json` joined with the runs of its jobs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from baryon.config.schemas import VALIDATION_LOSS
from baryon.errors import BaryonError
from baryon.runs import record as run_record
from baryon.runs import sweep_file
from baryon.runs.directory import RunDirectory
from baryon.runs.record import RunRecord
from baryon.runs.run_state import FINISHED, INTERRUPTED, RUNNING, STOPPED
from baryon.runs.stored_evaluation import StoredEvaluation
from baryon.runs.sweep_file import SweepFile, SweepJob


@dataclass(frozen=True)
class JobRecord:
    """A job of a sweep and its run; `run` is None as long as its folder is not readable."""

    job: SweepJob
    run: RunRecord | None

    @property
    def number(self) -> int:
        """Place of the job in the sweep."""
        return self.job.number

    @property
    def state(self) -> str:
        """State of the job.

        When a whole sweep was killed its file still calls a job running: then its run knows better.
        """
        if self.job.state == RUNNING and self.run and self.run.state in (INTERRUPTED, STOPPED):
            return self.run.state
        return self.job.state

    @property
    def choices(self) -> Mapping[str, Any]:
        """Values of the swept keys."""
        return self.job.choices

    @property
    def error(self) -> str | None:
        """Message of a job that failed."""
        return self.job.error

    @property
    def value(self) -> float | None:
        """Value of the sweep's metric."""
        return self.job.value

    @property
    def seconds(self) -> float | None:
        """Wall-clock time; while the job has not ended, that of its run's log."""
        return self.job.seconds or (self.run.seconds if self.run else None)


@dataclass(frozen=True)
class SweepRecord:
    """A sweep with the runs of its jobs.

    Attributes
    ----------
    path : folder of the sweep
    file : content of `sweep.json`
    jobs : all jobs, in their order
    problems : a line for each thing that should be there and is missing
    answers : evaluations of all folds together, by the names of their folders

    """

    path: Path
    file: SweepFile
    jobs: Sequence[JobRecord]
    problems: Sequence[str]
    answers: Mapping[str, StoredEvaluation] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the sweep; that of its folder, if the folder was renamed to a longer one."""
        name = self.file.name or self.path.name
        return self.path.name if name in self.path.name else name

    @property
    def command(self) -> Sequence[str]:
        """The command that made it, without the path where Baryon was installed."""
        command = self.file.command
        return ["baryon", *command[1:]] if command and command[0].endswith("/baryon") else command

    @property
    def swept(self) -> Sequence[str]:
        """Keys that the jobs differ in."""
        return self.file.swept

    @property
    def metric(self) -> str:
        """What the jobs are compared by."""
        return self.file.metric

    @property
    def direction(self) -> str:
        """Whether a small or a large value of the metric is the better one."""
        return self.file.direction

    @property
    def best(self) -> JobRecord | None:
        """The finished job with the best value."""
        best = self.file.best
        return next((job for job in self.jobs if job.job is best), None)

    @property
    def is_running(self) -> bool:
        """Whether any job still runs."""
        return any(job.state == RUNNING for job in self.jobs)


def read(path: Path) -> SweepRecord:
    """Read the folder of a sweep.

    Raises
    ------
    BaryonError
        If it holds no sweep, a damaged one, or one of a newer Baryon.

    """
    if not (path / sweep_file.NAME).is_file():
        return _from_runs(path)
    file = sweep_file.read(path)
    jobs = [JobRecord(job, _run(path / job.run)) for job in file.jobs]
    lost = [record for record in jobs if record.run is None and record.state == FINISHED]
    problems = [f"the folder of job {record.number} ({record.job.run})" for record in lost]
    answers = run_record.read_later_evaluations(RunDirectory(path))
    return SweepRecord(path, file, jobs, problems, answers)


def _run(path: Path) -> RunRecord | None:
    """Read a job's run; None if it cannot be read: the job itself says what went wrong."""
    try:
        return run_record.read(RunDirectory(path))
    except BaryonError:
        return None


def _from_runs(path: Path) -> SweepRecord:
    """Read a sweep that has lost `sweep.json`: what the configs of its runs differ in was swept."""
    from baryon.runs.comparison import differing

    folders = sorted(run_record.folders_in(path), key=_by_number)
    runs = [run for folder in folders if (run := _run(folder)) is not None]
    if not runs:
        raise BaryonError(
            f"sweep={path} is not a sweep folder: it has neither {sweep_file.NAME} nor runs in it"
        )
    differences = differing(runs)
    jobs = [
        SweepJob(
            id=run.name,
            number=number,
            run=run.name,
            choices={key: values[number] for key, values in differences.items()},
            state=run.state,
            value=lowest_validation_loss(run),
            seconds=run.seconds,
        )
        for number, run in enumerate(runs)
    ]
    file = SweepFile(path.name, metric=VALIDATION_LOSS, swept=list(differences), jobs=jobs)
    problem = f"{sweep_file.NAME}: its command is not known; what differs between its runs is shown"
    return SweepRecord(path, file, list(map(JobRecord, jobs, runs)), [problem])


def _by_number(path: Path) -> tuple[int, str]:
    """Sort folders named by a number in its order, and before all others."""
    # Bounded: a name of thousands of digits would take int() long, and is no job's.
    number = path.name.isdecimal() and len(path.name) < 10
    return (int(path.name), "") if number else (10**9, path.name)


def lowest_validation_loss(run: RunRecord) -> float | None:
    """Return the lowest finite validation loss of a run, None if it has none."""
    losses = [line["loss"] for line in run.lines("validation") if math.isfinite(line["loss"])]
    return min(losses, default=None)
