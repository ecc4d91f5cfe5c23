"""Read and write `job.json`: the state of a job, in its folder.

The job writes it itself, and any process on any node can read it; what the job cannot write any
more, because it was killed, its launcher completes.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from baryon.errors import BaryonError
from baryon.runs.directory import RunDirectory, write_json
from baryon.runs.sweep_file import FINISHED, STATES, WAITING
from baryon.system.plain_data import Shape, fits, is_finite, is_text, optional, read_json

NAME = "job.json"
STDERR = "stderr.txt"
ERROR_PREFIX = "baryon: error: "
"""How the line begins that a process of Baryon writes to stderr when it fails."""

SHAPE: dict[str, Shape] = {
    "state": lambda state: state in STATES, "error": optional(is_text),
    "seconds": optional(is_finite), "slurm": optional(is_text),
}  # fmt: skip


@dataclass(frozen=True)
class Status:
    """State of a job.

    `seconds` is the time of all attempts so far; `slurm` is the number of the Slurm job that wrote
    the status, None outside of Slurm.
    """

    state: str = WAITING
    error: str | None = None
    seconds: float | None = None
    slurm: str | None = None


def read(folder: Path) -> Status:
    """Return the status of the job in a folder; one without `job.json` is waiting."""
    try:
        stored = read_json(folder / NAME)
    except BaryonError:  # not there yet, or damaged by a power cut: the run's files decide
        stored = {}
    status = Status(**{key: stored[key] for key in SHAPE}) if fits(stored, SHAPE) else Status()
    # A run that has its metrics has finished, whatever happened to its process afterwards.
    if RunDirectory(folder).finished:
        return Status(FINISHED, None, status.seconds, status.slurm)
    return status


def write(folder: Path, state: str, seconds: float | None, error: str | None = None) -> None:
    """Replace the status of the job in a folder."""
    status = Status(state, error, seconds, _slurm_job())
    write_json(folder / NAME, asdict(status))


def _slurm_job() -> str | None:
    """Return the number of the Slurm job that this process belongs to, that of an array as 12_0."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    if array is None:
        return os.environ.get("SLURM_JOB_ID")
    return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"


def last_error(folder: Path, pattern: str = STDERR) -> str:
    """Return the error in the stderr files of a job: Baryon's line, else Slurm's, else the last.

    Returns "" if they are empty.
    """
    lines = [
        line.strip()
        for path in sorted(folder.glob(pattern))
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        if line.strip()
    ]
    baryons = [line.removeprefix(ERROR_PREFIX) for line in lines if line.startswith(ERROR_PREFIX)]
    slurms = [line for line in lines if line.startswith("srun: error: ")]
    return next(iter(baryons or slurms or lines[-1:]), "")
