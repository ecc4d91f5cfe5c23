"""Show the jobs of a sweep as a table: in `sweep.csv`, and on the terminal at the end."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from baryon.errors import BaryonError
from baryon.interfaces import Table
from baryon.runs.directory import RunDirectory
from baryon.runs.judgement import value_with_error
from baryon.runs.sweep_file import SweepFile, SweepJob
from baryon.system.atomic import write_text
from baryon.system.plain_data import read_json
from baryon.terminal.cells import cell

CSV = "sweep.csv"


def write_csv(sweep: SweepFile, folder: Path) -> None:
    """Write `sweep.csv` into the folder of the sweep: a row a job, in order of their numbers."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["job", "run", *sweep.swept, sweep.metric, "state", "seconds", "error"])
    for job in sweep.jobs:
        choices = [job.choices.get(key, "") for key in sweep.swept]
        rows.writerow([job.number, job.run, *choices, job.value, job.state, job.seconds, job.error])
    write_text(folder / CSV, text.getvalue())


def terminal_table(sweep: SweepFile, folder: Path) -> Table:
    """Make the table that the terminal shows, the best job first; the runs are in `folder`."""
    columns = ["job", *sweep.swept, sweep.metric, "state", "time", "folder"]
    return Table(columns, [_row(job, sweep, folder) for job in sweep.ranked()])


def value_text(job: SweepJob, metric: str, folder: Path) -> str:
    """Write a job's value of the metric, with its error if the run knows it; "" without a value."""
    if job.value is None:
        return ""
    metrics = _metrics(folder / job.run)
    with_error = value_with_error(metrics, metric)
    # An error belongs to the evaluator's metric, not to a validation loss of the same name.
    return with_error if with_error and metrics[metric] == job.value else cell(job.value)


def _row(job: SweepJob, sweep: SweepFile, folder: Path) -> list[str | float | int]:
    seconds = "" if job.seconds is None else f"{job.seconds:.0f} s"
    choices = [str(job.choices.get(key, "")) for key in sweep.swept]
    value = value_text(job, sweep.metric, folder)
    return [job.number, *choices, value, job.state, seconds, job.run]


def _metrics(run: Path) -> dict[str, Any]:
    """Read the metrics of a run; empty if there are none that can be read."""
    try:
        return read_json(RunDirectory(run).metrics)
    except (BaryonError, OSError):
        return {}
