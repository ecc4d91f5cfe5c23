"""Read and write `job.json`: the state of a job, in its folder.

The job writes it itself, and any process on any node can read it; what the job cannot write any
more, because it was killed, its launcher completes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from baryon.errors import BaryonError
from baryon.launch.environment import batch_job
from baryon.runs.directory import RunDirectory, write_json
from baryon.runs.sweep_file import FINISHED, STATES, WAITING
from baryon.system.plain_data import Shape, fits, is_finite, is_text, optional, read_json

NAME = "job.json"
STDERR = "stderr.txt"
ERROR_PREFIX = "baryon: error: "
"""How the line begins that a process of Baryon writes to stderr when it fails."""

SHAPE: dict[str, Shape] = {
    "state": lambda state: state in STATES, "error": optional(is_text),
    "seconds": optional(is_finite), "batch_job": optional(is_text),
}  # fmt: skip


@dataclass(frozen=True)
class Status:
    """State of a job.

    `seconds` is the time of all attempts so far; `batch_job` is the number of the job of Slurm, PBS
    or LSF that wrote the status, None outside of one.
    """

    state: str = WAITING
    error: str | None = None
    seconds: float | None = None
    batch_job: str | None = None


def read(folder: Path) -> Status:
    """Return the status of the job in a folder; one without `job.json` is waiting."""
    try:
        stored = read_json(folder / NAME)
    except BaryonError:  # not there yet, or damaged by a power cut: the run's files decide
        stored = {}
    status = Status(**{key: stored[key] for key in SHAPE}) if fits(stored, SHAPE) else Status()
    # A run that has its metrics has finished, whatever happened to its process afterwards.
    if RunDirectory(folder).finished:
        return Status(FINISHED, None, status.seconds, status.batch_job)
    return status


def write(folder: Path, state: str, seconds: float | None, error: str | None = None) -> None:
    """Replace the status of the job in a folder."""
    job = batch_job()
    status = Status(state, error, seconds, job.number if job else None)
    write_json(folder / NAME, asdict(status))


def last_error(folder: Path, pattern: str = STDERR) -> str:
    """Return the error in the stderr files of a job: Baryon's line, else srun's, else the last.

    Returns "" if they are empty.
    """
    lines = [
        line.strip()
        for path in sorted(folder.glob(pattern))
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        if line.strip()
    ]
    baryons = [line.removeprefix(ERROR_PREFIX) for line in lines if line.startswith(ERROR_PREFIX)]
    of_srun = [line for line in lines if line.startswith("srun: error: ")]
    # That srun waits for the other ranks is no reason; it may stand before its error or after.
    lines = [line for line in lines if not line.startswith("srun: Job step aborted")]
    return next(iter(baryons or of_srun or lines[-1:]), "")
