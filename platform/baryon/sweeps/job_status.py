"""Where a job stands, told by a file in its folder, which any process on any node can read."""

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


SHAPE: dict[str, Shape] = {
    "state": lambda state: state in STATES, "error": optional(is_text),
    "seconds": optional(is_finite), "slurm": optional(is_text),
}  # fmt: skip


@dataclass(frozen=True)
class Status:
    """`seconds` of all attempts so far; `slurm` is the number of the Slurm job that ran it last."""

    state: str = WAITING
    error: str | None = None
    seconds: float | None = None
    slurm: str | None = None


def read(folder: Path) -> Status:
    """The job's status; a run that has its figures has finished, whatever happened afterwards."""
    try:
        stored = read_json(folder / NAME)
    except BaryonError:  # there is none yet, or it is damaged: its run then tells
        stored = {}
    told = Status(**{key: stored[key] for key in SHAPE}) if fits(stored, SHAPE) else Status()
    if RunDirectory(folder).finished:
        return Status(FINISHED, None, told.seconds, told.slurm)
    return told


def write(folder: Path, state: str, seconds: float | None, error: str | None = None) -> None:
    """Put it in the place of the last one."""
    status = Status(state, error, seconds, _slurm_job())
    write_json(folder / NAME, asdict(status))


def _slurm_job() -> str | None:
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    if array is None:
        return os.environ.get("SLURM_JOB_ID")
    return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
