"""A sweep as reports show it: its `sweep.json` joined with the runs of its jobs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baryon.config.schemas import VALIDATION_LOSS
from baryon.errors import BaryonError
from baryon.runs import record as run_record
from baryon.runs import sweep_file
from baryon.runs.directory import RunDirectory
from baryon.runs.record import BROKEN_OFF, FINISHED, GOING, STOPPED, RunRecord
from baryon.runs.sweep_file import RUNNING, SweepFile, SweepJob


@dataclass(frozen=True)
class JobRecord:
    """A job of a sweep, and its run, which is None before it has a folder or when that is gone."""

    job: SweepJob
    run: RunRecord | None

    @property
    def number(self) -> int:
        """Place of the job in the sweep."""
        return self.job.number

    @property
    def state(self) -> str:
        """State of the job in the words of a run's.

        A job that was running when its whole sweep was killed is known by its own folder.
        """
        if self.job.state != RUNNING:
            return self.job.state
        dead = self.run is not None and self.run.state in (BROKEN_OFF, STOPPED)
        return self.run.state if self.run is not None and dead else GOING

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
        """Wall-clock time, that of the run's log while the job has not ended."""
        return self.job.seconds or (self.run.seconds if self.run else None)


@dataclass(frozen=True)
class SweepRecord:
    """A sweep with the runs of its jobs; `missing` says what should be there and is not."""

    path: Path
    file: SweepFile
    jobs: Sequence[JobRecord]
    missing: Sequence[str]

    @property
    def name(self) -> str:
        """Name of the sweep: that of its folder, if somebody has made it longer."""
        name = self.file.name or self.path.name
        return self.path.name if name in self.path.name else name

    @property
    def command(self) -> Sequence[str]:
        """The command that made it, without the place where Baryon was installed."""
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
    def going(self) -> bool:
        """Whether any job still runs."""
        return any(job.state == GOING for job in self.jobs)


def read(path: Path) -> SweepRecord:
    """Read the folder of a sweep.

    Raises `BaryonError` if it holds no sweep, a damaged one, or one of a newer Baryon.
    """
    if not (path / sweep_file.NAME).is_file():
        return _from_runs(path)
    file = sweep_file.read(path)
    jobs = [JobRecord(job, _run(path / job.run)) for job in file.jobs]
    gone = [record for record in jobs if record.run is None and record.state == FINISHED]
    missing = [f"the folder of job {record.number} ({record.job.run})" for record in gone]
    return SweepRecord(path, file, jobs, missing)


def _run(path: Path) -> RunRecord | None:
    """Read a job's run; None if it cannot be read: the job itself says what went wrong."""
    try:
        return run_record.read(RunDirectory(path))
    except BaryonError:
        return None


def _from_runs(path: Path) -> SweepRecord:
    """Read a folder of runs without `sweep.json`: what their configs differ in was swept."""
    from baryon.runs.comparison import differing

    folders = sorted(run_record.folders_in(path), key=_by_number)
    runs = [run for folder in folders if (run := _run(folder)) is not None]
    if not runs:
        raise BaryonError(
            f"sweep={path} is no sweep: it has neither {sweep_file.NAME} nor runs in it"
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
    missing = f"{sweep_file.NAME}: its command is not known; what differs between its runs is shown"
    return SweepRecord(path, file, list(map(JobRecord, jobs, runs)), [missing])


def _by_number(path: Path) -> tuple[int, str]:
    number = path.name.isdecimal() and len(path.name) < 10
    return (int(path.name), "") if number else (10**9, path.name)


def lowest_validation_loss(run: RunRecord) -> float | None:
    """Return the lowest finite loss; None if the run was never validated with success."""
    losses = [line["loss"] for line in run.lines("validation") if math.isfinite(line["loss"])]
    return min(losses, default=None)
