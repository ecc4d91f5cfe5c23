"""Read and write `sweep.json`: what a sweep was asked for, and where each of its jobs stands.

The sweep writes it after every change of a job and reads it when it goes on; reports read it too.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from baryon import __version__
from baryon.errors import BaryonError
from baryon.runs.directory import write_json
from baryon.system.plain_data import (
    Shape,
    fits,
    inside,
    is_count,
    is_finite,
    is_mapping,
    is_number,
    is_text,
    optional,
    read_json,
)
from baryon.terminal.credentials import without_credentials

NAME = "sweep.json"
FORMAT = 1
"""Version of the file: a newer one is refused, not guessed at."""
MINIMIZE, MAXIMIZE = "minimize", "maximize"

WAITING, RUNNING, FINISHED, FAILED, PRUNED = "waiting", "running", "finished", "failed", "pruned"
ENDED = (FINISHED, FAILED, PRUNED)
STATES = (WAITING, RUNNING, *ENDED)
"""States of a job."""

JOB: dict[str, Shape] = {
    "id": is_text, "number": is_count, "run": is_text, "choices": is_mapping,
    "state": lambda state: state in STATES, "error": optional(is_text),
    "value": optional(is_number), "seconds": optional(is_finite),
}  # fmt: skip
SHAPE: dict[str, Shape] = {
    "format": is_count, "version": is_text, "plugins": is_mapping, "name": is_text,
    "command": [is_text], "swept": [is_text], "metric": is_text, "direction": is_text,
    "started": is_text, "jobs": [JOB],
}  # fmt: skip


@dataclass
class SweepJob:
    """One job of a sweep.

    Attributes
    ----------
    id : digest of the job's config, by which a later start of the sweep knows it again
    number : place in the sweep, which never changes
    run : name of the run's folder within the sweep's folder
    choices : values of the swept keys
    state : one of `STATES`
    error : message of a job that failed
    value : value of the sweep's metric, once the job has finished
    seconds : wall-clock time of all attempts

    """

    id: str
    number: int
    run: str
    choices: dict[str, Any]
    state: str = WAITING
    error: str | None = None
    value: float | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        return f"job {self.number} ({choices_text(self.choices)})"


@dataclass
class SweepFile:
    """Content of `sweep.json`.

    `version` is Baryon's and `plugins` those of all plugins that were installed; `swept` are the
    keys that any job was given a choice of; `metric` and `direction` say how jobs are compared.
    """

    name: str
    plugins: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    swept: list[str] = field(default_factory=list)
    metric: str = ""
    direction: str = MINIMIZE
    jobs: list[SweepJob] = field(default_factory=list)
    version: str = __version__
    started: str = field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%S%z"))
    format: int = FORMAT

    def add(self, job_id: str, choices: Mapping[str, Any]) -> SweepJob:
        """Return the job of this id, a new one if the sweep has none."""
        job = next((job for job in self.jobs if job.id == job_id), None)
        if job is None:
            number = len(self.jobs)
            job = SweepJob(job_id, number, f"{number}-{job_id[:8]}", {})
            self.jobs.append(job)
        job.choices = dict(choices)  # a later command may sweep further keys
        self.swept = list(dict.fromkeys(key for job in self.jobs for key in job.choices))
        return job

    @property
    def best(self) -> SweepJob | None:
        """The finished job with the best value."""
        first = next(iter(self.ranked()), None)
        return first if first is not None and _has_value(first) else None

    def ranked(self) -> list[SweepJob]:
        """Sort the jobs: the best finished job first, those without a value last."""
        sign = -1 if self.direction == MAXIMIZE else 1

        def rank(job: SweepJob) -> tuple[bool, float, int]:
            has_value = _has_value(job)
            return not has_value, sign * (job.value or 0.0) if has_value else 0.0, job.number

        return sorted(self.jobs, key=rank)

    def write(self, folder: Path) -> None:
        """Replace the file in the folder of the sweep, without credentials of the command."""
        write_json(folder / NAME, without_credentials(asdict(self)))


def _has_value(job: SweepJob) -> bool:
    return job.state == FINISHED and job.value is not None


def choices_text(choices: Mapping[str, Any]) -> str:
    """Write the values of the swept keys as on a command line."""
    return ", ".join(f"{key}={value}" for key, value in choices.items()) or "as it is"


def read(folder: Path) -> SweepFile:
    """Read the file from the folder of a sweep.

    Raises
    ------
    BaryonError
        For a file that is damaged, that a newer Baryon has written, or whose jobs lead out of the
        folder: it may come from somebody else.

    """
    return parse(folder, read_values(folder))


def read_values(folder: Path) -> dict[str, Any]:
    """Read the file as plain values, which `parse` has still to check.

    Raises `BaryonError` for a file that holds no JSON object.
    """
    return without_credentials(read_json(folder / NAME))


def parse(folder: Path, values: Mapping[str, Any]) -> SweepFile:
    """Check the plain values of a file; raises `BaryonError` as `read` does."""
    path = folder / NAME
    _require_known_format(path, values)
    for key in [*SHAPE, *values]:
        if key not in SHAPE or not fits(values, {key: SHAPE[key]}):
            raise BaryonError(f"{path} cannot be read ({key!r:.80} is not what a sweep writes)")
    if any(job.keys() != JOB.keys() for job in values["jobs"]):
        raise BaryonError(f"{path} cannot be read ('jobs' is not what a sweep writes)")
    for job in values["jobs"]:
        inside(folder, job["run"])
    return SweepFile(**{**values, "jobs": [SweepJob(**job) for job in values["jobs"]]})


def _require_known_format(path: Path, values: Mapping[str, Any]) -> None:
    version = values.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise BaryonError(
            f"{path} has format {version}; this Baryon reads up to {FORMAT}: install a newer one"
        )
