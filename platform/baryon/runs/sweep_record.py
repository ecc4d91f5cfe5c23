"""What a sweep has left in its folder: `sweep.json`, and the runs of its jobs.

`sweep.json` holds `name`, `command`, `swept` (keys), `metric`, `direction` and `jobs`, each with
`number`, `run` (a folder inside), `choices`, `state`, `error`, `value` and `seconds`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baryon.errors import BaryonError
from baryon.runs import record as run_record
from baryon.runs.directory import RunDirectory
from baryon.runs.record import BROKEN_OFF, FINISHED, GOING, STOPPED, RunRecord
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

VERSION = 1
"""Of the file, where it has a number; else it names the Baryon that wrote it."""
SWEEP = "sweep.json"
VALIDATION_LOSS = "validation_loss"
MINIMIZE, MAXIMIZE = "minimize", "maximize"

STATES = {"running": GOING, "finished": FINISHED}
"""A job's state in the words of a run's."""
DEAD = (BROKEN_OFF, STOPPED)

JOB: Shape = {
    "state": is_text, "number?": is_count, "run?": optional(is_text), "choices?": is_mapping,
    "error?": optional(is_text), "value?": optional(is_number), "seconds?": optional(is_finite),
}  # fmt: skip
PARTS: Mapping[str, Shape] = {
    "jobs": [JOB], "name?": optional(is_text), "command?": optional([is_text]),
    "swept?": optional([is_text]), "metric?": optional(is_text), "direction?": optional(is_text),
}  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One point of a sweep; `run` is None before it has a folder, or when that is gone."""

    number: int
    state: str
    choices: Mapping[str, Any]
    error: str | None
    value: float | None
    seconds: float | None
    run: RunRecord | None


@dataclass(frozen=True)
class SweepRecord:
    """A sweep as its folder tells it."""

    path: Path
    name: str
    command: Sequence[str]
    swept: Sequence[str]
    metric: str
    direction: str
    jobs: Sequence[Job]
    missing: Sequence[str]

    @property
    def best(self) -> Job | None:
        """The finished job with the best value."""
        judged = [job for job in self.jobs if job.state == FINISHED and job.value is not None]
        sign = -1 if self.direction == MAXIMIZE else 1
        return min(judged, key=lambda job: sign * (job.value or 0.0), default=None)

    @property
    def going(self) -> bool:
        """Whether anything in it still runs."""
        return any(job.state == GOING for job in self.jobs)


def read(path: Path) -> SweepRecord:
    """Raises `BaryonError` if the folder holds no sweep, or one of a newer Baryon."""
    file = path / SWEEP
    if not file.is_file():
        return _from_runs(path)
    found = without_credentials(read_json(file))
    version = found.get("version")
    if isinstance(version, int) and version > VERSION:
        raise BaryonError(
            f"{file} has version {version}; this Baryon reads up to {VERSION}: install a newer one"
        )
    for key, shape in PARTS.items():
        if not fits(found, {key: shape}):
            name = key.removesuffix("?")
            raise BaryonError(f"{file} cannot be read (its {name} are not what a sweep writes)")
    return _read(path, found)


def _read(path: Path, found: Mapping[str, Any]) -> SweepRecord:
    entries = found["jobs"]
    jobs = [_job(path, entry) for entry in entries]
    name = str(found.get("name") or path.name)
    return SweepRecord(
        path=path,
        name=path.name if name in path.name else name,
        command=_command(found.get("command") or ()),
        swept=found.get("swept") or [],
        metric=found.get("metric") or VALIDATION_LOSS,
        direction=found.get("direction") or MINIMIZE,
        jobs=jobs,
        missing=[
            f"the folder of job {job.number} ({entry['run']})"
            for job, entry in zip(jobs, entries, strict=True)
            if job.run is None and entry.get("run") and job.state == FINISHED
        ],
    )


def _command(given: Sequence[str]) -> list[str]:
    """Without the place where Baryon is installed."""
    return ["baryon", *given[1:]] if given and given[0].endswith("/baryon") else list(given)


def _job(path: Path, entry: Mapping[str, Any]) -> Job:
    run = _run(inside(path, entry["run"])) if entry.get("run") else None
    return Job(
        number=entry.get("number", 0),
        state=_state(entry["state"], run),
        choices=entry.get("choices", {}),
        error=entry.get("error"),
        value=entry.get("value"),
        seconds=entry.get("seconds") or (run.seconds if run else None),
        run=run,
    )


def _state(written: str, run: RunRecord | None) -> str:
    """A job that was running when all of its sweep was killed is known by its own folder."""
    state = STATES.get(written, written)
    return run.state if state == GOING and run is not None and run.state in DEAD else state


def _run(path: Path) -> RunRecord | None:
    """A job's run if there is one that can be read; what is wrong with it, its job tells."""
    try:
        return run_record.read(RunDirectory(path))
    except BaryonError:
        return None


def _from_runs(path: Path) -> SweepRecord:
    """A folder of runs without `sweep.json`: what differs between their configs was swept."""
    from baryon.runs.comparison import differing

    folders = sorted(run_record.folders_in(path), key=_by_number)
    found = {folder.name: _run(folder) for folder in folders}
    runs = {name: run for name, run in found.items() if run is not None}
    if not runs:
        raise BaryonError(f"sweep={path} is no sweep: it has neither {SWEEP} nor runs in it")
    differences = differing(list(runs.values()))
    jobs = [
        Job(
            number=number,
            state=run.state,
            choices={key: values[number] for key, values in differences.items()},
            error=None,
            value=lowest_validation_loss(run),
            seconds=run.seconds,
            run=run,
        )
        for number, run in enumerate(runs.values())
    ]
    missing = [f"{SWEEP}: its command is not known; what differs between its runs is shown"]
    swept = list(differences)
    return SweepRecord(path, path.name, (), swept, VALIDATION_LOSS, MINIMIZE, jobs, missing)


def _by_number(path: Path) -> tuple[int, str]:
    number = path.name.isdecimal() and len(path.name) < 10
    return (int(path.name), "") if number else (10**9, path.name)


def lowest_validation_loss(run: RunRecord) -> float | None:
    """None if it was never validated, or never with success."""
    losses = [line["loss"] for line in run.lines("validation") if math.isfinite(line["loss"])]
    return min(losses, default=None)
