"""Follow the jobs of a sweep while they run: say what changes, and write it down."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from baryon.config.config import Config
from baryon.errors import BaryonError
from baryon.runs.directory import RunDirectory
from baryon.runs.sweep_file import (
    ENDED,
    FAILED,
    FINISHED,
    PRUNED,
    RUNNING,
    WAITING,
    SweepFile,
    SweepJob,
)
from baryon.sweeps import job_status, objective
from baryon.sweeps.jobs_table import write_csv
from baryon.sweeps.launcher import Launcher, PlacedJob
from baryon.system import locks
from baryon.terminal.console import say, warn


class Follower:
    """Keeps `sweep.json` in step with the jobs' own status files.

    `record` is the sweep's file; `asked_for` holds, by job, what this start of the sweep asks for.
    With `fail_fast` the first failure stops the launcher.
    """

    def __init__(
        self, folder: Path, record: SweepFile, launcher: Launcher, *, fail_fast: bool = False
    ) -> None:
        self._folder, self._record, self._launcher = folder, record, launcher
        self._fail_fast = fail_fast
        self.asked_for: dict[str, SweepJob] = {}
        self.failed_fast = False
        self._configs: dict[str, Config] = {}
        self._without_value: dict[str, str] = {}
        self._stopped_by_scheduler: set[str] = set()
        self._seen_dead: set[str] = set()
        self._guard = threading.RLock()  # launchers call from the threads of their jobs

    def folder(self, job: SweepJob) -> Path:
        """Return the run folder of a job."""
        return self._folder / job.run

    def add(self, job: SweepJob, config: Config) -> None:
        """Follow a job of this start of the sweep, in the state that an earlier one left it in."""
        self.asked_for[job.id], self._configs[job.id] = job, config
        status = job_status.read(self.folder(job))
        job.state = status.state if status.state in ENDED else WAITING
        job.error, job.seconds, job.value = status.error, status.seconds, None
        if job.state == FINISHED:
            self._read_value(job)

    def reset(self, job: SweepJob) -> None:
        """Let a job that failed or was stopped run again."""
        job.state, job.error = WAITING, None
        self._stopped_by_scheduler.discard(job.id)
        # A job that an earlier start has left running goes on writing its status itself.
        if not locks.is_held(self.folder(job)):
            job_status.write(self.folder(job), WAITING, job.seconds)

    def write(self) -> None:
        """Write `sweep.json` and `sweep.csv`."""
        self._record.write(self._folder)
        write_csv(self._record, self._folder)

    def on_begin(self, job: PlacedJob) -> None:
        """Note that a job's processes have been started."""
        with self._guard:
            self._change(self.asked_for[job.id], RUNNING)

    def on_change(self, jobs: Sequence[PlacedJob]) -> bool:
        """Say and write what has changed; tell whether all these jobs have ended."""
        with self._guard:
            followed = [self.asked_for[job.id] for job in jobs]
            for job in followed:
                self._look(job)
            return all(j.state in ENDED or j.id in self._stopped_by_scheduler for j in followed)

    def on_gone(self, job: PlacedJob, number: str) -> None:
        """Judge a job that has left its queue: cancelled before it began, or stopped."""
        with self._guard:
            entry, status = self.asked_for[job.id], job_status.read(job.folder)
            held, batch_job = locks.is_held(job.folder), f"{self._launcher.scheduler} job {number}"
            if status.state != WAITING or held or job.id in self._stopped_by_scheduler:
                return
            if status.batch_job == number or self.failed_fast:
                self._stopped_by_scheduler.add(job.id)
                if not self.failed_fast:
                    warn(f"{entry}: {batch_job} was stopped; it does not resume by itself")
                return
            reason = self._launcher.last_error(job.folder, number)
            error = (
                f"{batch_job} ended before its training began: {reason}"
                if reason
                else f"{batch_job} was cancelled before it began"
            )
            job_status.write(job.folder, FAILED, status.seconds, error)
            self._look(entry)

    def settle(self) -> None:
        """Take the states of all jobs over from their folders, when the sweep itself is stopped."""
        with self._guard:
            for job in self.asked_for.values():
                self.add(job, self._configs[job.id])
            self.write()

    def why_without_value(self, job: SweepJob) -> str:
        """Return why a finished job has no value of the sweep's metric; "" if it has one."""
        reason = self._without_value.get(job.id)
        return f"{job}: {reason}" if reason else ""

    def _look(self, job: SweepJob) -> None:
        status = job_status.read(self.folder(job))
        if status.state == RUNNING and status.batch_job:
            status = self._dead(job) or status
        # A finished job is told once; its value is read as soon as it has finished.
        if status.state == job.state or job.state == FINISHED:
            return
        job.error, job.seconds = status.error, status.seconds
        self._change(job, status.state)

    def _dead(self, job: SweepJob) -> job_status.Status | None:
        """Return the status of a batch job whose processes were killed.

        Returns None while they live, and at the first look after that.
        """
        folder = self.folder(job)
        if locks.is_held(folder):
            self._seen_dead.discard(job.id)
            return None
        if job.id not in self._seen_dead:
            # What started the processes says only a moment after their end how they ended.
            self._seen_dead.add(job.id)
            return None
        status = job_status.read(folder)
        if status.state != RUNNING:  # it ended while we looked
            return status
        number = status.batch_job or ""
        scheduler = self._launcher.scheduler or "batch"
        error = self._launcher.last_error(folder, number) or f"{scheduler} job {number} was ended"
        job_status.write(folder, FAILED, status.seconds, error)
        return job_status.read(folder)

    def _change(self, job: SweepJob, state: str) -> None:
        job.state = state
        time = "" if job.seconds is None else f" after {job.seconds:.0f} s"
        if state == RUNNING:
            say(f"{job}: begins")
        elif state == FINISHED:
            self._read_value(job)
            value = "" if job.value is None else f": {self._record.metric} {job.value:.5g}"
            say(f"{job}: finished{time}{value} ({self._progress()})")
        elif state == PRUNED:
            say(f"{job}: pruned{time} ({self._progress()})")
        elif state == FAILED:
            warn(f"{job}: {job.error}")
        self.write()
        if state == FAILED and self._fail_fast and not self.failed_fast:
            self.failed_fast = True
            self._launcher.stop()

    def _progress(self) -> str:
        ended = sum(job.state in ENDED for job in self.asked_for.values())
        return f"{ended} of {len(self.asked_for)}"

    def _read_value(self, job: SweepJob) -> None:
        # From the run's folder, not returned by the job: so another `sweep.metric` compares
        # finished jobs without training again.
        run = RunDirectory(self.folder(job))
        try:
            job.value = objective.value(run, self._configs[job.id], self._record.metric)
            self._without_value.pop(job.id, None)
        except BaryonError as error:
            self._without_value[job.id] = str(error)


def in_state(jobs: Mapping[str, SweepJob], states: Collection[str]) -> list[SweepJob]:
    """Return the jobs that are in one of the states."""
    return [job for job in jobs.values() if job.state in states]
