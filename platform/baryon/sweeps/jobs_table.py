"""Show the jobs of a sweep as a table: in `sweep.csv`, and on the terminal at the end."""

from __future__ import annotations

import csv
import io
import math
from functools import lru_cache
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
from baryon.terminal.rounding import interval

CSV = "sweep.csv"


def write_csv(sweep: SweepFile, folder: Path) -> None:
    """Write `sweep.csv` into the folder of the sweep: a row a job, the best first.

    `<metric>_low` and `<metric>_high` are the ends of its 68 % interval, empty if it has none.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    ends = [f"{sweep.metric}_low", f"{sweep.metric}_high"]
    rows.writerow(["job", "run", *sweep.swept, sweep.metric, *ends, "state", "seconds", "error"])
    for job in sweep.ranked():
        choices = [job.choices.get(key, "") for key in sweep.swept]
        ends_of_job: tuple[float | str, float | str] = ("", "")
        if job.value is not None:
            ends_of_job = _interval(folder / job.run, sweep.metric, job.value)
        rows.writerow(
            [
                job.number,
                job.run,
                *choices,
                job.value,
                *ends_of_job,
                job.state,
                job.seconds,
                job.error,
            ]
        )
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


@lru_cache(maxsize=4096)  # the table is written at each change of a job, of hundreds
def _interval(run: Path, metric: str, value: float) -> tuple[float | str, float | str]:
    """Return the ends of the 68 % interval of a run's value, empty texts where it has none."""
    metrics = _metrics(run)
    low, high = interval(metrics, metric)
    # An error belongs to the evaluator's metric, not to a validation loss of the same name.
    return (low, high) if metrics.get(metric) == value and math.isfinite(low) else ("", "")


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
