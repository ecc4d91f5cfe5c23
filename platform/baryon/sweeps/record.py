"""What a sweep was asked for and where each of its jobs stands: `sweep.json` and `sweep.csv`."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from baryon import __version__
from baryon.errors import BaryonError
from baryon.interfaces import Table
from baryon.plugins.registry import Plugins
from baryon.runs.directory import RunDirectory, write_json
from baryon.runs.judgement import value_with_error
from baryon.sweeps.identity import Job, shown
from baryon.sweeps.job_status import FINISHED, WAITING
from baryon.system.atomic import write_text
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
from baryon.terminal.cells import cell
from baryon.terminal.credentials import without_credentials

JSON, CSV = "sweep.json", "sweep.csv"
ENTRY: Shape = {
    "id": is_text, "number": is_count, "run": is_text, "choices": is_mapping, "state?": is_text,
    "error?": optional(is_text), "value?": optional(is_number), "seconds?": optional(is_finite),
}  # fmt: skip
SHAPE: Shape = {
    "version": is_text, "plugins": is_mapping, "name": is_text, "command": [is_text],
    "swept": [is_text], "metric": is_text, "direction": is_text, "started": is_text,
    "jobs": [ENTRY],
}  # fmt: skip
"""What `sweep.json` holds."""


@dataclass
class Entry:
    """One job: `run` is the name of its folder within the sweep's, `number` never changes."""

    id: str
    number: int
    run: str
    choices: dict[str, Any]
    state: str = WAITING
    error: str | None = None
    value: float | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        return f"job {self.number} ({shown(self.choices)})"


@dataclass
class Record:
    """A sweep as it is written; `plugins` are the versions of all that were installed."""

    version: str
    plugins: dict[str, str]
    name: str
    command: list[str]
    swept: list[str]
    metric: str
    direction: str
    started: str
    jobs: list[Entry] = field(default_factory=list)

    def add(self, job: Job) -> Entry:
        """The job's entry, a new one if it has none."""
        for entry in self.jobs:
            if entry.id == job.id:
                entry.choices = dict(job.choices)  # further keys may be swept now
                return entry
        number = len(self.jobs)
        self.jobs.append(Entry(job.id, number, f"{number}-{job.id[:8]}", dict(job.choices)))
        return self.jobs[-1]

    def best(self) -> Entry | None:
        """The finished job with the best value."""
        ranked = self.ranked()
        return ranked[0] if ranked and ranked[0].value is not None else None

    def ranked(self) -> list[Entry]:
        """The best finished job first, those without a value last."""
        sign = -1 if self.direction == "maximize" else 1

        def rank(entry: Entry) -> tuple[bool, float, int]:
            known = entry.state == FINISHED and entry.value is not None
            return not known, sign * (entry.value or 0.0) if known else 0.0, entry.number

        return sorted(self.jobs, key=rank)

    def write(self, folder: Path) -> None:
        """Both files, each in one step."""
        write_json(folder / JSON, without_credentials(asdict(self)))
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["job", "run", *self.swept, self.metric, "state", "seconds", "error"])
        for job in self.jobs:
            chosen = [job.choices.get(key, "") for key in self.swept]
            rows.writerow(
                [job.number, job.run, *chosen, job.value, job.state, job.seconds, job.error]
            )
        write_text(folder / CSV, text.getvalue())

    def table(self, folder: Path) -> Table:
        """The jobs for the terminal, the best first; their runs are in `folder`."""
        columns = ["job", *self.swept, self.metric, "state", "time", "folder"]
        return Table(columns, [self._row(job, folder) for job in self.ranked()])

    def value(self, job: Entry, folder: Path) -> str:
        """Of its metric, with the error that its run knows; "" before there is one."""
        if job.value is None:
            return ""
        metrics = _metrics(folder / job.run)
        known = value_with_error(metrics, self.metric)
        return known if known and metrics[self.metric] == job.value else cell(job.value)

    def _row(self, job: Entry, folder: Path) -> list[str | float | int]:
        value = self.value(job, folder)
        time_ = "" if job.seconds is None else f"{job.seconds:.0f} s"
        chosen = [str(job.choices.get(key, "")) for key in self.swept]
        return [job.number, *chosen, value, job.state, time_, job.run]


def _metrics(run: Path) -> dict[str, Any]:
    """What the evaluation of a run said; nothing where there is none to be read."""
    try:
        metrics = read_json(RunDirectory(run).metrics)
    except (BaryonError, OSError):
        return {}
    return metrics if isinstance(metrics, dict) else {}


def new(name: str, plugins: Plugins) -> Record:
    """An empty one of this moment; what is asked for is filled in by `Sweep`."""
    started = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    return Record(__version__, versions(plugins), name, [], [], "", "", started)


def read(folder: Path, plugins: Plugins) -> Record | None:
    """The sweep of a folder, if there is one.

    Raises `BaryonError` for one of other versions of Baryon or a plugin, or one that is damaged.
    """
    path = folder / JSON
    if not path.is_file():
        return None
    anew = "begin a new sweep by sweep.fresh=true"
    try:
        stored = read_json(path)
        if fits(stored, {"version": is_text, "plugins": is_mapping}):
            _require_same_versions(folder, stored, plugins)
        if not fits(stored, SHAPE):
            raise BaryonError(f"{path} cannot be read (it is not what a sweep writes)")
        for job in stored["jobs"]:
            inside(folder, job["run"])
        return Record(**{**stored, "jobs": [Entry(**job) for job in stored["jobs"]]})
    except TypeError as error:
        raise BaryonError(f"{path} cannot be read ({error}): {anew}") from error
    except BaryonError as error:
        raise BaryonError(str(error) if anew in str(error) else f"{error}: {anew}") from error


def versions(plugins: Plugins) -> dict[str, str]:
    """Every plugin with its distribution and version."""
    return {plugin.name: f"{plugin.distribution} {plugin.version}" for plugin in plugins.all}


def _require_same_versions(folder: Path, told: dict[str, Any], plugins: Plugins) -> None:
    here = versions(plugins)
    pairs = {"baryon": (told["version"], __version__)} | {
        f"plugin {name!r}": (then, here.get(name, "not installed"))
        for name, then in told["plugins"].items()
    }
    for what, (then, now) in pairs.items():
        if then != now:
            raise BaryonError(
                f"{folder} is a sweep of {what} {then}, here is {now}: install that version, or "
                "begin a new sweep by sweep.fresh=true"
            )


def swept_keys(entries: Sequence[Entry]) -> list[str]:
    """Every key that any job was given a choice of, in order of appearance."""
    return list(dict.fromkeys(key for entry in entries for key in entry.choices))
