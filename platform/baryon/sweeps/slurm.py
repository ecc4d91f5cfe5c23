"""Run the jobs of a sweep under Slurm: submit them as one array and follow them."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baryon.config.schemas import LaunchBySlurm
from baryon.errors import BaryonError, format_error
from baryon.sweeps import job_status, run_job
from baryon.sweeps.launcher import Launcher, Observer, PlacedJob
from baryon.sweeps.queue import SECONDS_BETWEEN_LOOKS, SECONDS_TO_ANSWER, Queue
from baryon.terminal.handler import show_messages

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

SUBMITIT = ".submitit"
"""Folder within a sweep's folder in which submitit keeps scripts and logs."""


class JobOnNode:
    """The function that submitit calls in every rank of a job, on its node."""

    def __call__(self, folder: str, asked: dict[str, Any]) -> None:
        """Do this rank's part of the job."""
        show_messages()  # into the log of the rank: this process has no command line that would
        os.environ[run_job.ASKED] = json.dumps(asked)
        run_job.run(Path(folder))

    def checkpoint(self, folder: str, asked: dict[str, Any]) -> DelayedSubmission:
        """Return what the job does once Slurm has requeued it: the same, from its checkpoint."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, folder, asked)


class SlurmLauncher(Launcher):
    """Submits jobs by submitit and follows them by their status files and `squeue`."""

    scheduler = "Slurm"
    commands = "`squeue` shows them, `scancel` ends them"

    def __init__(self, settings: LaunchBySlurm, sweep: Path) -> None:
        self._settings, self._sweep = settings, sweep
        self.at_once = settings.jobs
        self._numbers: list[str] = []

    def run(self, jobs: Sequence[PlacedJob], observer: Observer) -> None:
        """Submit jobs and wait for them. Raises `BaryonError` if Slurm does not take them."""
        self._numbers = self._submit(jobs)
        by_number = dict(zip(self._numbers, jobs, strict=True))
        queue = Queue(_queued)
        for number in self._numbers:
            queue.add(number)
        gone: list[str] = []
        # A job whose time is up and that Slurm requeues has not ended, whatever its folder tells.
        requeues = self._settings.max_num_timeout > 0
        while not observer.on_change(jobs) or (requeues and queue):
            gone += queue.gone()
            # Again and again: the file system may bring late how a job has ended.
            for number in gone:
                observer.on_gone(by_number[number], number)
            gone = [number for number in gone if not observer.on_change([by_number[number]])]
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def stop(self) -> None:
        """Cancel all jobs: Slurm begins none, and those that run write their checkpoints."""
        command = ["scancel", *self._numbers]
        with suppress(subprocess.TimeoutExpired):  # then they end by themselves
            subprocess.run(command, check=False, timeout=SECONDS_TO_ANSWER)  # noqa: S603

    def last_error(self, folder: Path, number: str) -> str:
        """Return the error in the logs that submitit keeps of a Slurm job."""
        del folder
        return job_status.last_error(self._sweep / SUBMITIT / number, "*_log.err")

    def _submit(self, jobs: Sequence[PlacedJob]) -> list[str]:
        """Return the numbers that Slurm gives the jobs, in their order; those of an array as 12_0.

        Raises `BaryonError` if Slurm does not take them.
        """
        import submitit

        logging.getLogger("submitit").setLevel(logging.ERROR)  # it warns where there is no `sacct`
        try:
            executor = submitit.SlurmExecutor(
                self._sweep.resolve() / SUBMITIT / "%j",
                max_num_timeout=self._settings.max_num_timeout,
            )
            executor.update_parameters(**_sbatch_options(self._settings))
            folders = [str(job.folder.resolve()) for job in jobs]
            submitted = executor.map_array(JobOnNode(), folders, [dict(job.asked) for job in jobs])
        except Exception as error:  # submitit has no class of its own for what sbatch refuses
            raise BaryonError(f"launch=slurm: {format_error(error)}") from error
        return [str(job.job_id) for job in submitted]


def _sbatch_options(settings: LaunchBySlurm) -> dict[str, Any]:
    """Return the options of `sbatch` by the names that submitit has for them."""
    same_name = (
        *("partition", "account", "qos", "constraint", "gres", "cpus_per_task"),
        *("gpus_per_node", "signal_delay_s", "nodes", "setup"),
    )
    return {name: getattr(settings, name) for name in same_name} | {
        "job_name": "baryon",
        "ntasks_per_node": settings.ranks // settings.nodes,
        "array_parallelism": settings.jobs,
        "time": settings.timeout_min,
        "mem": None if settings.mem_gb is None else f"{settings.mem_gb}GB",
        "additional_parameters": settings.sbatch,
    }


def _queued(numbers: Collection[str]) -> set[str] | None:
    """Return this user's jobs that wait, run or are about to end; None if Slurm is silent.

    Asks `squeue`: `sacct` would need accounts, which many sites do not keep.
    """
    del numbers  # `squeue --jobs` fails if one of them is no longer known
    command = ["squeue", "--noheader", "--array", "--format=%i", f"--user={os.getuid()}"]
    try:
        answer = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=SECONDS_TO_ANSWER, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return set(answer.stdout.split())
