"""A sweep as it goes on: its jobs get their places, are launched, followed and told of."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from baryon.config import config as configs
from baryon.config.config import Config
from baryon.config.schemas import Sweep as Settings
from baryon.errors import BaryonError
from baryon.plugins.registry import Plugins
from baryon.report.results import show_table
from baryon.runs.directory import RunDirectory, fill
from baryon.runs.sweep_file import (
    ENDED,
    FAILED,
    FINISHED,
    MAXIMIZE,
    PRUNED,
    RUNNING,
    WAITING,
    SweepJob,
)
from baryon.sweeps import job_status, objective
from baryon.sweeps.continuation import read_or_new
from baryon.sweeps.identity import Job
from baryon.sweeps.jobs_table import terminal_table, value_text, write_csv
from baryon.sweeps.launching import SLURM, Launching
from baryon.sweeps.local import last_words
from baryon.sweeps.slurm_queue import SUBMITIT
from baryon.system import locks
from baryon.terminal.console import say, warn

SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_TO_SETTLE = 60.0


class Sweep:
    """One sweep in its folder, which the caller holds."""

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        command: Sequence[str],
        plugins: Plugins,
        launching: Launching,
    ) -> None:
        self.folder, self.settings, self._launching = folder, settings, launching
        self.record = read_or_new(folder, plugins)
        self.record.command = list(command)
        self.record.metric = settings.metric
        self.record.direction = settings.direction or "minimize"
        self._configs: dict[str, Config] = {}
        self._asked: dict[str, SweepJob] = {}
        self._without_value: dict[str, str] = {}
        self._stopped: set[str] = set()
        """Jobs that Slurm has stopped and does not bring back; their checkpoints are written."""
        self._guard = threading.RLock()

    def add(self, jobs: Sequence[Job]) -> list[SweepJob]:
        """Give each job its place and see where it stands; the same job twice is one."""
        entries: dict[str, SweepJob] = {}
        for job in jobs:
            entry = entries[job.id] = self._asked[job.id] = self.record.add(job.id, job.choices)
            self._configs[job.id] = job.config
            folder = self._folder(entry)
            config_file = RunDirectory(folder).config
            if not config_file.is_file():
                configs.write(job.config, fill(folder).config)
            elif configs.read(config_file, asked={}).digest != job.id:
                raise BaryonError(
                    f"{config_file} is not the config of {entry}: somebody changed it; begin a new "
                    "sweep by sweep.fresh=true"
                )
            self._take_up(entry)
        self._write()
        return list(entries.values())

    def introduce(self, entries: Sequence[SweepJob]) -> None:
        """Say what an earlier start of the same sweep has left."""
        done = [entry for entry in entries if entry.state in (FINISHED, PRUNED)]
        begun = [entry for entry in entries if entry not in done and self._has_checkpoint(entry)]
        failed = [entry for entry in entries if entry.state == FAILED]
        parts = [
            f"{len(done)} finished before and skipped" if done else "",
            f"{len(begun)} going on from a checkpoint" if begun else "",
            f"{len(failed)} failed before and tried again" if failed else "",
        ]
        told = ", ".join(part for part in parts if part)
        jobs = "1 job" if len(entries) == 1 else f"{len(entries)} jobs"
        say(f"sweep {self.folder}: {jobs}{': ' if told else ''}{told}")

    def run(self, jobs: Sequence[Job]) -> list[SweepJob]:
        """Do what is left to do of these jobs; gives the entries of all of them."""
        entries = self.add(jobs)
        overrides = {job.id: job.overrides for job in jobs}
        left = [entry for entry in entries if entry.state not in (FINISHED, PRUNED)]
        for entry in left:
            entry.state, entry.error = WAITING, None
            self._stopped.discard(entry.id)
            if not locks.is_held(self._folder(entry)):
                job_status.write(self._folder(entry), WAITING, entry.seconds)
        placed = {entry.id: [*overrides[entry.id], *self._place(entry)] for entry in left}
        for portion in self._launching.portions(left):
            with self._followed(portion):
                self._launching.launch(
                    [placed[entry.id] for entry in portion],
                    partial(self._all_ended, portion),
                    partial(self._left, portion),
                )
        return entries

    @contextmanager
    def told(self) -> Iterator[None]:
        """Around all that is run: however it ends, the table is shown.

        Raises `BaryonError` if a job has failed or has no value to be compared by.
        """
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            self._settle()
            self._show()
            say(f"sweep {self.folder}: stopped; the same command goes on with it")
            raise
        self._show()
        self._require_all_well()

    @property
    def at_once(self) -> int:
        """Jobs that run at a time."""
        return self._launching.at_once

    def why_without_value(self, entry: SweepJob) -> str:
        """What is wrong with a finished job that cannot be compared."""
        return f"{entry}: {self._without_value[entry.id]}"

    def _write(self) -> None:
        self.record.write(self.folder)
        write_csv(self.record, self.folder)

    def _place(self, entry: SweepJob) -> list[str]:
        """Where Hydra is to say that the job's folder is."""
        folder = str(self.folder.resolve()).replace("'", "\\'")
        return [f"hydra.sweep.dir='{folder}'", f"hydra.sweep.subdir={entry.run}"]

    def _folder(self, entry: SweepJob) -> Path:
        return self.folder / entry.run

    def _has_checkpoint(self, entry: SweepJob) -> bool:
        return any(RunDirectory(self._folder(entry)).checkpoints.glob("*.pt"))

    @contextmanager
    def _followed(self, entries: Sequence[SweepJob]) -> Iterator[None]:
        """Tell what becomes of the jobs while they run."""
        if self._launching.one_by_one:
            say(f"{entries[0]}: begins")
            self._changed(entries[0], RUNNING)
            try:
                yield
            finally:
                self._look(entries)
            return
        ended = threading.Event()

        def follow() -> None:
            while not ended.wait(SECONDS_BETWEEN_LOOKS):
                self._look(entries)

        follower = threading.Thread(target=follow)
        follower.start()
        try:
            yield
        finally:
            ended.set()
            follower.join()
            self._look(entries)

    def _take_up(self, entry: SweepJob) -> None:
        """What an earlier start left of this job, without a word."""
        now = job_status.read(self._folder(entry))
        state = now.state if now.state in ENDED else WAITING
        entry.state, entry.error, entry.seconds = state, now.error, now.seconds
        entry.value = None
        if state == FINISHED:
            self._value(entry)

    def _look(self, entries: Sequence[SweepJob]) -> None:
        """See how far the jobs are; tell of each change once, and write it down."""
        with self._guard:
            for entry in entries:
                now = job_status.read(self._folder(entry))
                if now.state == RUNNING and self._launching.where == SLURM:
                    now = self._died(entry) or now
                if now.state == entry.state or entry.state == FINISHED:
                    continue
                entry.error, entry.seconds = now.error, now.seconds
                self._changed(entry, now.state)

    def _died(self, entry: SweepJob) -> job_status.Status | None:
        """The status of a job whose processes have gone without a word, as Slurm may end them."""
        folder = self._folder(entry)
        if locks.is_held(folder):
            return None
        now = job_status.read(folder)
        if now.state != RUNNING:  # it ended while we looked
            return now
        words = last_words(self.folder / SUBMITIT / (now.slurm or ""), "*_log.err")
        job_status.write(folder, FAILED, now.seconds, words or f"Slurm job {now.slurm} was ended")
        return job_status.read(folder)

    def _changed(self, entry: SweepJob, state: str) -> None:
        entry.state = state
        took = "" if entry.seconds is None else f" after {entry.seconds:.0f} s"
        if state == FINISHED:
            self._value(entry)
            value = "" if entry.value is None else f": {self.record.metric} {entry.value:.5g}"
            say(f"{entry}: finished{took}{value}{self._how_many()}")
        elif state == FAILED:
            warn(f"{entry}: {entry.error}")
        elif state == PRUNED:
            say(f"{entry}: pruned{took}{self._how_many()}")
        elif state == RUNNING and not self._launching.one_by_one:
            say(f"{entry}: begins")
        self._write()

    def _how_many(self) -> str:
        ended = sum(entry.state in ENDED for entry in self._asked.values())
        return f" ({ended} of {len(self._asked)})"

    def _value(self, entry: SweepJob) -> None:
        run = RunDirectory(self._folder(entry))
        try:
            entry.value = objective.value(run, self._configs[entry.id], self.record.metric)
        except BaryonError as error:
            self._without_value[entry.id] = str(error)

    def _all_ended(self, entries: Sequence[SweepJob]) -> bool:
        with self._guard:
            return all(e.state in ENDED or e.id in self._stopped for e in entries)

    def _left(self, entries: Sequence[SweepJob], place: int, number: str) -> None:
        """A job has left Slurm's queue: cancelled before it began, or stopped, or all is well."""
        with self._guard:
            entry = entries[place]
            folder, now = self._folder(entry), job_status.read(self._folder(entry))
            if now.state != WAITING or entry.id in self._stopped or locks.is_held(folder):
                return
            if now.slurm == number:
                self._stopped.add(entry.id)
                warn(f"{entry}: Slurm job {number} was stopped; it does not come back by itself")
                return
            words = last_words(self.folder / SUBMITIT / number, "*_log.err")
            told = f"Slurm job {number} was cancelled before it began"
            job_status.write(folder, FAILED, now.seconds, f"{told}: {words}" if words else told)
        self._look(entries)

    def _settle(self) -> None:
        """Wait for jobs on this machine that are writing their checkpoint."""
        if self._launching.where == SLURM:
            say("jobs that Slurm has goes on with or without us: squeue shows, scancel ends them")
            return
        until = time.monotonic() + SECONDS_TO_SETTLE
        for entry in self.record.jobs:
            while locks.is_held(self._folder(entry)) and time.monotonic() < until:
                time.sleep(SECONDS_BETWEEN_LOOKS)
            self._take_up(entry)
        self._write()

    def _show(self) -> None:
        show_table(terminal_table(self.record, self.folder))
        best, metric = self.record.best, self.record.metric
        if best is not None:
            # Not "best": jobs may be evaluated on different data, which the report tells.
            what = "highest" if self.record.direction == MAXIMIZE else "lowest"
            value = value_text(best, metric, self.folder)
            say(f"{what} {metric}: {value} of {best} in {self._folder(best)}")

    def _require_all_well(self) -> None:
        failed = [entry for entry in self._asked.values() if entry.state == FAILED]
        lost = [entry for entry in self._asked.values() if entry.state not in ENDED]
        of = f"of {len(self._asked)} jobs of {self.folder}"
        if failed:
            raise BaryonError(
                f"{len(failed)} {of} failed, the first {failed[0]}: {failed[0].error}; the same "
                "command tries them again"
            )
        if lost:
            raise BaryonError(
                f"{len(lost)} {of} did not come to an end: {self._launching.error or 'interrupted'}"
                "; the same command goes on with them"
            )
        for entry in self._asked.values():
            if entry.state == FINISHED and entry.value is None:
                raise BaryonError(
                    f"{self.why_without_value(entry)}; nothing is lost: the same command with "
                    "another sweep.metric takes up these jobs"
                )
