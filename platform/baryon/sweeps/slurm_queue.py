"""Which jobs of a launch Slurm still has, asked of `squeue`, which needs no accounts."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

SUBMITIT = ".submitit"
"""Where submitit writes within a sweep's folder."""
SECONDS_BETWEEN_LOOKS = 5.0
"""Slurm's controller serves the whole site: it is not asked more often."""


class Queue:
    """The jobs that Slurm takes for a sweep from now on."""

    def __init__(self, sweep: Path) -> None:
        self._folder = sweep / SUBMITIT
        self._before = self._known()
        self._missing: set[str] = set()
        self._looked = time.monotonic()

    def _known(self) -> set[str]:
        return {path.parent.name for path in self._folder.glob("*/*_submitted.pkl")}

    def taken(self) -> set[str]:
        """Their numbers: those of an array as 12_0, 12_1, in the order of the launch."""
        return self._known() - self._before

    def gone(self) -> dict[str, int]:
        """By number those that have left the queue, with their place in the launch.

        Only who is missing at two looks counts: what a job wrote last has arrived here by then.
        """
        if time.monotonic() < self._looked + SECONDS_BETWEEN_LOOKS:
            return {}
        self._looked = time.monotonic()
        queued = _queued()
        if queued is None:
            return {}
        missing = self.taken() - queued
        gone, self._missing = missing & self._missing, missing
        return {job: int(job.partition("_")[2] or 0) for job in gone}


def _queued() -> set[str] | None:
    """This user's jobs that wait, run or are about to end; None if Slurm does not answer."""
    command = ["squeue", "--noheader", "--array", "--format=%i", f"--user={os.getuid()}"]
    try:
        answer = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return set(answer.stdout.split())
