"""Run the jobs of a sweep under PBS or LSF: a script each, submitted as places become free."""

from __future__ import annotations

import re
import time
from collections import Counter, deque
from collections.abc import Collection, Sequence
from pathlib import Path

from baryon.config.schemas import LaunchByScript
from baryon.errors import BaryonError
from baryon.runs.sweep_file import WAITING
from baryon.sweeps import job_script, job_status
from baryon.sweeps.launcher import Launcher, Observer, PlacedJob
from baryon.sweeps.queue import SECONDS_BETWEEN_LOOKS, Queue
from baryon.sweeps.schedulers import Scheduler
from baryon.system.atomic import write_text
from baryon.system.plain_data import read_text
from baryon.terminal.console import say, warn

SECONDS_BETWEEN_TRIES = 60.0
"""Between two attempts to submit, where the site takes no further job of this user for now."""
LARGEST_NUMBER = 200
"""Characters of the number of a job."""
NUMBER = re.compile(r"\d[\w.-]*")


class ScriptLauncher(Launcher):
    """Submits a script for each job, and follows jobs by their status files and the queue.

    Not an array: PBS has none of one job, its sub-jobs cannot be limited to so many at a time
    everywhere, and a job whose time was up is simply submitted again.
    """

    def __init__(self, settings: LaunchByScript, sweep: Path, scheduler: Scheduler) -> None:
        self._settings, self._sweep, self._scheduler = settings, sweep, scheduler
        self.scheduler, self.commands = scheduler.name, scheduler.commands
        self.at_once = settings.jobs
        self._waiting: deque[PlacedJob] = deque()
        self._submitted: dict[str, PlacedJob] = {}
        self._gone: set[str] = set()
        self._timeouts: Counter[str] = Counter()
        self._queue = Queue(self._queued)
        self._stopping = False
        self._next_try = 0.0

    def run(self, jobs: Sequence[PlacedJob], observer: Observer) -> None:
        """Submit jobs and wait for them. Raises `BaryonError` if none of them is taken."""
        adopted = self._adopt(jobs)
        self._waiting.extend(job for job in jobs if job not in adopted)
        while True:
            self._submit_next()
            self._look(observer)
            if not self._submitted and (self._stopping or not self._waiting):
                return
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def stop(self) -> None:
        """Cancel the jobs that wait in the queue; those that run write their checkpoints."""
        self._stopping = True
        jobs = self._scheduler.queued(self._submitted)
        if jobs is None:  # silent: whether they wait is not known, and a warning ends no more
            self._scheduler.warn(self._submitted)
            return
        self._scheduler.cancel([number for number, job in jobs.items() if job.waits])
        self._scheduler.warn([number for number, job in jobs.items() if not job.waits])

    def last_error(self, folder: Path, number: str) -> str:
        """Return the error that the job wrote, or else the batch system's last word about it."""
        del number
        run = folder.name
        return job_status.last_error(folder) or job_status.last_error(
            job_script.scripts(self._sweep), job_script.log(self._sweep, run).name
        )

    def _adopt(self, jobs: Sequence[PlacedJob]) -> list[PlacedJob]:
        """Follow the jobs that an earlier start of the sweep has left in the queue."""
        paths = [job_script.number_file(self._sweep, job.folder.name) for job in jobs]
        numbers = [
            read_text(path, LARGEST_NUMBER).strip() if path.is_file() else "" for path in paths
        ]
        asked = [number for number in numbers if NUMBER.fullmatch(number)]
        queued = (self._scheduler.queued(asked) if asked else None) or {}
        for job, number in zip(jobs, numbers, strict=True):
            # By its name as well: the file may be somebody else's, the number that of another job,
            # which `stop` must not cancel.
            entry = queued.get(number)
            if entry is not None and entry.name == job_script.job_name(job.folder):
                self._follow(job, number)
        if self._submitted:
            count = len(self._submitted)
            what = "1 job is" if count == 1 else f"{count} jobs are"
            say(f"{what} still in the queue of {self.scheduler}, and not submitted again")
        return list(self._submitted.values())

    def _follow(self, job: PlacedJob, number: str) -> None:
        self._submitted[number] = job
        self._queue.add(number)

    def _queued(self, numbers: Collection[str]) -> Collection[str] | None:
        return self._scheduler.queued(numbers)

    def _submit_next(self) -> None:
        while self._waiting and not self._stopping and len(self._submitted) < self.at_once:
            if time.monotonic() < self._next_try:
                return
            job = self._waiting[0]
            script = job_script.write(self._sweep, job, self._settings)
            self._forget_attempt(job)
            try:
                number = self._scheduler.submit(script)
            except BaryonError as error:
                if not self._submitted:
                    raise BaryonError(f"launch={self._settings.launcher}: {error}") from error
                # Sites limit how many jobs of a user wait at a time.
                if not self._next_try:
                    warn(f"{error}; {len(self._waiting)} jobs are submitted later")
                self._next_try = time.monotonic() + SECONDS_BETWEEN_TRIES
                return
            self._waiting.popleft()
            self._follow(job, number)
            write_text(job_script.number_file(self._sweep, job.folder.name), f"{number}\n")

    def _look(self, observer: Observer) -> None:
        """Tell the observer of what has changed, and let go of the jobs that have ended."""
        for number in self._queue.gone():
            if self._may_go_on(self._submitted[number]):
                self._submit_again(number)
            else:
                self._gone.add(number)
        for number, job in list(self._submitted.items()):
            # Again and again: the file system may bring late how a job has ended.
            if number in self._gone:
                observer.on_gone(job, number)
            if observer.on_change([job]):
                del self._submitted[number]
                self._gone.discard(number)
                self._queue.forget(number)

    def _may_go_on(self, job: PlacedJob) -> bool:
        """Return whether a job has left the queue because its time was up, and may go on."""
        return (
            not self._stopping
            and job_script.time_is_up(self._sweep, job.folder.name).is_file()
            and job_status.read(job.folder).state == WAITING
            and self._timeouts[job.id] < self._settings.max_num_timeout
        )

    def _submit_again(self, number: str) -> None:
        job = self._submitted.pop(number)
        self._timeouts[job.id] += 1
        self._waiting.appendleft(job)
        say(f"{self.scheduler} job {number}: its time was up; it is submitted again")

    def _forget_attempt(self, job: PlacedJob) -> None:
        """Remove what an earlier attempt has said, which is none of this one's errors."""
        run = job.folder.name
        for path in (
            job_script.time_is_up(self._sweep, run),
            job_script.log(self._sweep, run),
            job.folder / job_status.STDERR,
        ):
            path.unlink(missing_ok=True)
