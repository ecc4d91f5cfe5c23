"""A sweep in its folder: its jobs get their places and are run, and its results are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from baryon.config import frozen_file
from baryon.config.schemas import Sweep as Settings
from baryon.errors import BaryonError
from baryon.plugins.registry import Plugins
from baryon.report.page import sweep_page
from baryon.report.results import show_table
from baryon.runs import sweep_record
from baryon.runs.directory import RunDirectory, fill
from baryon.runs.sweep_file import ENDED, FAILED, FINISHED, MAXIMIZE, PRUNED, SweepJob
from baryon.sweeps.continuation import read_or_new
from baryon.sweeps.follower import Follower, in_state
from baryon.sweeps.identity import Job
from baryon.sweeps.jobs_table import terminal_table, value_text
from baryon.sweeps.launcher import Launcher, PlacedJob
from baryon.system.atomic import write_text
from baryon.system.signals import Terminated
from baryon.terminal.console import name_report, say, warn
from baryon.terminal.credentials import without_credentials
from baryon.training.checkpoints.names import has_checkpoint

REPORT = "report.html"


class Sweep:
    """One sweep in its folder, which this process has locked."""

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        command: Sequence[str],
        plugins: Plugins,
        launcher: Launcher,
    ) -> None:
        self.folder, self._launcher = folder, launcher
        self.record = read_or_new(folder, plugins)
        self.record.command = list(command)
        self.record.metric = settings.metric
        self.record.direction = settings.direction or "minimize"
        self._follower = Follower(folder, self.record, launcher, fail_fast=settings.fail_fast)
        self._without_password: set[str] = set()

    @property
    def at_once(self) -> int:
        """Number of jobs that run at a time."""
        return self._launcher.at_once

    @property
    def failed_fast(self) -> bool:
        """Whether a failed job has stopped the sweep (`sweep.fail_fast`)."""
        return self._follower.failed_fast

    def add(self, jobs: Sequence[Job]) -> list[SweepJob]:
        """Give each job its folder and read its state; the same job twice is one.

        Raises `BaryonError` if somebody has changed the config in the folder of a job.
        """
        entries: dict[str, SweepJob] = {}
        for job in jobs:
            entry = entries[job.id] = self.record.add(job.id, job.choices)
            self._place(job, entry)
            self._follower.add(entry, job.config)
        self._follower.write()
        return list(entries.values())

    def introduce(self, entries: Sequence[SweepJob]) -> None:
        """Say what an earlier start of the same sweep has left."""
        finished = [entry for entry in entries if entry.state in (FINISHED, PRUNED)]
        resumed = [e for e in entries if e not in finished and self._has_checkpoint(e)]
        failed = [entry for entry in entries if entry.state == FAILED]
        parts = [
            f"{len(finished)} finished before and skipped" if finished else "",
            f"{len(resumed)} resuming from a checkpoint" if resumed else "",
            f"{len(failed)} failed before and tried again" if failed else "",
        ]
        earlier = ", ".join(part for part in parts if part)
        number = "1 job" if len(entries) == 1 else f"{len(entries)} jobs"
        say(f"sweep {self.folder}: {number}{': ' if earlier else ''}{earlier}")

    def run(self, jobs: Sequence[Job]) -> list[SweepJob]:
        """Do what is left to do of these jobs; return the entries of all of them."""
        entries = self.add(jobs)
        asked = {job.id: job.asked for job in jobs}
        left = [entry for entry in entries if entry.state not in (FINISHED, PRUNED)]
        for entry in left:
            self._follower.reset(entry)
        if left and not self.failed_fast:
            placed = [
                PlacedJob(
                    entry.id, self._follower.folder(entry), self._written_down(asked[entry.id])
                )
                for entry in left
            ]
            self._launcher.run(placed, self._follower)
        return entries

    def _written_down(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take credentials out of what the launcher writes into a file for the batch system."""
        if not self._launcher.outlives:
            return asked
        clean = without_credentials(dict(asked))
        changed = {key for key, value in asked.items() if clean[key] != value}
        for key in sorted(changed - self._without_password):
            warn(
                f"the password in {key} is not written into the files of a batch job: give it to "
                "the jobs by a variable or file of the tracker's own"
            )
        self._without_password |= changed
        return clean

    @contextmanager
    def summarised(self) -> Iterator[None]:
        """Show the table of jobs, and the best, however the block ends.

        Raises `BaryonError` if a job has failed or has no value to be compared by.
        """
        try:
            yield
        except (KeyboardInterrupt, Terminated):
            if self._launcher.outlives:
                scheduler, commands = self._launcher.scheduler, self._launcher.commands
                say(f"jobs that {scheduler} has go on: {commands}")
            else:
                self._follower.settle()
            self._show()
            say(f"sweep {self.folder}: stopped; the same command resumes it")
            raise
        self._show()
        write_report(self.folder)
        self._require_success()

    def why_without_value(self, entry: SweepJob) -> str:
        """Return why a finished job cannot be compared."""
        return self._follower.why_without_value(entry)

    def _place(self, job: Job, entry: SweepJob) -> None:
        folder = self._follower.folder(entry)
        path = RunDirectory(folder).config
        if not path.is_file():
            frozen_file.write(job.config, fill(folder).config)
        elif frozen_file.read(path, asked={}).digest != job.id:
            raise BaryonError(
                f"{path} is not the config of {entry}: somebody changed it; begin a new sweep by "
                "sweep.fresh=true"
            )

    def _has_checkpoint(self, entry: SweepJob) -> bool:
        return has_checkpoint(RunDirectory(self._follower.folder(entry)).checkpoints)

    def _show(self) -> None:
        show_table(terminal_table(self.record, self.folder))
        best, metric = self.record.best, self.record.metric
        if best is not None:
            # Not "best": jobs may be evaluated on different data, which the report tells.
            what = "highest" if self.record.direction == MAXIMIZE else "lowest"
            value = value_text(best, metric, self.folder)
            say(f"{what} {metric}: {value} of {best} in {self._follower.folder(best)}")

    def _require_success(self) -> None:
        jobs = self._follower.asked_for
        failed = in_state(jobs, [FAILED])
        unfinished = [job for job in jobs.values() if job.state not in ENDED]
        of_all = f"of {len(jobs)} jobs of {self.folder}"
        if failed:
            others = (
                f"{len(unfinished)} others were stopped or not begun (sweep.fail_fast=true); "
                if self.failed_fast and unfinished
                else ""
            )
            raise BaryonError(
                f"{len(failed)} {of_all} failed, the first {failed[0]}: {failed[0].error}; {others}"
                f"the same command tries {'it' if len(failed) == 1 else 'them'} again"
            )
        if unfinished:
            raise BaryonError(
                f"{len(unfinished)} {of_all} did not end; the same command resumes them"
            )
        for job in in_state(jobs, [FINISHED]):
            if job.value is None:
                raise BaryonError(
                    f"{self.why_without_value(job)}; nothing is lost: the same command with "
                    "another sweep.metric compares these jobs again"
                )


def write_report(folder: Path) -> None:
    """Write the page of a sweep into its folder, and say where it is."""
    path = folder / REPORT
    try:
        sweep = sweep_record.read(folder.resolve())
        write_text(path, sweep_page.page(sweep, sweep.path))
    except BaryonError as error:  # the jobs' results matter more than their page
        warn(f"no report of the sweep: {error}")
    else:
        name_report(path)
