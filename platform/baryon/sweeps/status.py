"""Where a job stands, told by a file in its folder, which any process on any node can read."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from baryon.reporting.run_directory import RunDirectory, write_json

NAME = "job.json"
STDERR = "stderr.txt"

WAITING, RUNNING, FINISHED, FAILED, PRUNED = "waiting", "running", "finished", "failed", "pruned"
ENDED = (FINISHED, FAILED, PRUNED)


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
        told = Status(**json.loads((folder / NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        told = Status()
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
