"""The page of several runs side by side, and of a sweep."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from baryon.config.flatten import flat
from baryon.config.schemas import VALIDATION_LOSS
from baryon.interfaces import Table
from baryon.report.page import charts
from baryon.report.page.page import render
from baryon.report.page.run_page import times
from baryon.runs.comparison import differing
from baryon.runs.judgement import Judgement, by_metric, judge, not_comparable, value_with_error
from baryon.runs.record import RunRecord
from baryon.runs.run_state import FINISHED, RUNNING
from baryon.runs.sweep_file import MAXIMIZE
from baryon.runs.sweep_record import JobRecord, SweepRecord, lowest_validation_loss
from baryon.terminal.cells import cell
from baryon.terminal.units import duration

MOST_COLOURS = 8
"""More runs than the palette has colours are told apart by how well they did."""
MOST_SPLITS = 12
MOST_METRICS = 6
SOFTWARE = ("baryon", "python", "plugins", "libraries", "machine", "git", "data", "environment")


def sweep_page(sweep: SweepRecord, place: Path, tag: str = "") -> str:
    """`place` is the folder that the page is written to: links lead from there to each run."""
    ranks = _ranks([job.value for job in sweep.jobs], higher=sweep.direction == MAXIMIZE)
    jobs = [_Row(_job_name(job), job, rank) for job, rank in zip(sweep.jobs, ranks, strict=True)]
    metric = sweep.metric.replace("_", " ")
    runs = {row.name: row.job.run for row in jobs if row.job.run is not None}
    shade = {row.name: row.shade(jobs) for row in jobs}
    metrics = _common_metrics([run.evaluation.metrics for run in runs.values()])
    found = [job.run for job in sweep.jobs]
    lowest = _Column("lowest validation loss", [_lowest(run) for run in found])
    columns = [
        *[_Column(key, [job.choices.get(key) for job in sweep.jobs]) for key in sweep.swept],
        _Column(
            sweep.metric,
            [job.value for job in sweep.jobs],
            texts=[_value_of_job(job, sweep.metric) for job in sweep.jobs],
        ),
        *([lowest] if sweep.metric != VALIDATION_LOSS else []),
        *[_of_metric(name, found) for name in metrics if name != sweep.metric],
        _Column("time", [job.seconds for job in sweep.jobs], seconds=True),
    ]
    best = _best_job(sweep, runs)
    rows = [
        _start_of_row(row.name, row.job.number, row.job.state, _link(row.job.run, place))
        | {"best": row.name == best["name"] and best["label"] == BEST}
        for row in jobs
    ]
    parallel = {
        "axes": list(sweep.swept),
        "metric": metric,
        "jobs": [
            {
                "name": row.name,
                "choices": [_scalar(row.job.choices.get(key)) for key in sweep.swept],
                "value": row.job.value,
                "rank": row.rank,
                "shade": shade[row.name],
            }
            for row in jobs
        ],
    }
    drawn = charts.of_runs(runs)
    _shade(drawn, shade)
    judged = [job for job in sweep.jobs if job.value is not None]
    return render(
        "several.html.j2",
        {"charts": drawn, "parallel": parallel if judged and sweep.swept else None},
        title=sweep.name,
        going=sweep.is_running,
        tag=tag,
        sweep=True,
        states=Counter(job.state for job in sweep.jobs),
        best=best,
        missing=sweep.problems,
        found_tiles=_sweep_tiles(sweep),
        parallel=bool(judged and sweep.swept),
        columns=[column.head() for column in columns],
        rows=_with_cells(rows, columns),
        errors=[{"name": row.name, "text": row.job.error} for row in jobs if row.job.error],
        splits=[],
        differences=[],
        command=shlex.join(map(str, sweep.command)) if sweep.command else "",
    )


def comparison_page(runs: Sequence[RunRecord], place: Path, tag: str = "") -> str:
    """Of any runs: their answers, their curves in one, and in what they differ."""
    named = dict(zip(_names(runs), runs, strict=True))
    values = [lowest_validation_loss(run) for run in runs]
    ranks = _ranks(values, higher=False)
    judgement = judge(named)
    metrics = _common_metrics([run.evaluation.metrics for run in runs])
    differences = differing(runs)
    columns = [
        _Column("lowest validation loss", values),
        *[_of_metric(name, runs) for name in metrics],
        _Column("steps", [(run.last("train") or {}).get("step") for run in runs]),
        _Column("samples/s", [_rate(run) for run in runs]),
        _Column("time", [run.seconds for run in runs], seconds=True),
    ]
    rows = [
        _start_of_row(name, number, run.state, _link(run, place)) | {"best": name == judgement.best}
        for number, (name, run) in enumerate(named.items())
    ]
    drawn = charts.of_runs(named)
    if len(runs) > MOST_COLOURS:
        worst = max([rank for rank in ranks if rank is not None], default=0) or 1
        _shade(drawn, {n: _shard(r, worst) for n, r in zip(named, ranks, strict=True)})
    return render(
        "several.html.j2",
        {"charts": drawn, "parallel": None},
        title=_title(list(named)),
        going=any(run.state == RUNNING for run in runs),
        tag=tag,
        sweep=False,
        states=Counter(run.state for run in runs),
        best=_best_of(named, judgement, differences),
        missing=[f"{name}: {one}" for name, run in named.items() for one in run.problems],
        found_tiles=[],
        parallel=False,
        columns=[column.head() for column in columns],
        rows=_with_cells(rows, columns),
        errors=[],
        splits=_splits(named),
        differences=_difference_tables(named, differences),
        command="",
    )


@dataclass(frozen=True)
class _Column:
    """Of the table of runs: a value for each of them."""

    name: str
    values: Sequence[Any]
    seconds: bool = False
    texts: Sequence[str] = ()
    """The values with their errors, "" where the value says it all."""

    def head(self) -> dict[str, Any]:
        """To the right if its values are numbers."""
        number = all(
            v is None or (isinstance(v, int | float) and not isinstance(v, bool))
            for v in self.values
        )
        return {"name": self.name.replace("_", " "), "number": number, "seconds": self.seconds}


def _of_metric(name: str, runs: Sequence[RunRecord | None]) -> _Column:
    answers = [run.evaluation.metrics if run else {} for run in runs]
    values = [answer.get(name) for answer in answers]
    return _Column(name, values, texts=[value_with_error(answer, name) for answer in answers])


def _start_of_row(name: str, order: int, state: str, link: str) -> dict[str, Any]:
    return {"name": name, "order": order, "state": state, "link": link}


def _with_cells(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[_Column]
) -> list[dict[str, Any]]:
    return [
        {
            **row,
            "cells": [
                {
                    "value": column.values[number],
                    "text": column.texts[number] if column.texts else "",
                }
                for column in columns
            ],
        }
        for number, row in enumerate(rows)
    ]


class _Row:
    def __init__(self, name: str, job: JobRecord, rank: int | None) -> None:
        self.name, self.job, self.rank = name, job, rank

    def shade(self, rows: Sequence[_Row]) -> float | None:
        """1 for the best, 0 for the worst."""
        return _shard(self.rank, sum(row.rank is not None for row in rows) - 1)


def _shard(rank: int | None, worst: int) -> float | None:
    return None if rank is None else 1.0 - rank / max(1, worst)


def _ranks(values: Sequence[float | None], *, higher: bool) -> list[int | None]:
    """0 for the best; None where there is no value."""
    there = sorted(
        (number for number, value in enumerate(values) if value is not None),
        key=lambda number: values[number] or 0.0,
        reverse=higher,
    )
    rank = {number: place for place, number in enumerate(there)}
    return [rank.get(number) for number in range(len(values))]


def _shade(drawn: list[charts.Chart], shade: Mapping[str, float | None]) -> None:
    for chart in drawn:
        for series in chart["series"]:
            if len(shade) > MOST_COLOURS:
                series["shade"] = shade.get(series["name"])


def _names(runs: Sequence[RunRecord]) -> list[str]:
    """Each by its folder; where two are called alike, by more of their path."""
    names = [run.name for run in runs]
    if len(set(names)) == len(names):
        return names
    return ["/".join(run.directory.path.parts[-2:]) + f" ({n + 1})" for n, run in enumerate(runs)]


def _job_name(job: JobRecord) -> str:
    return f"job {job.number}"


BEST = "Best"
NO_BEST: Mapping[str, Any] = {"label": "", "name": ""}


def _best_job(sweep: SweepRecord, runs: Mapping[str, RunRecord]) -> Mapping[str, Any]:
    """By the sweep's metric; a loss alone makes no job the best, if the evaluator can judge."""
    by_name = {_job_name(job): job for job in sweep.jobs}
    lowest = sweep.best
    judgement = judge(runs) if sweep.metric == VALIDATION_LOSS else _by_sweep(sweep)
    if judgement.best:
        job = by_name[judgement.best]
        return _best(judgement, job.choices, job.run)
    if lowest is None:
        return {**NO_BEST, "note": judgement.note}
    metric = sweep.metric.replace("_", " ")
    end = "Highest" if sweep.direction == MAXIMIZE else "Lowest"
    return {
        "label": f"{end} {metric}" if judgement.note or sweep.metric == VALIDATION_LOSS else BEST,
        "name": _job_name(lowest),
        "metric": metric,
        "value": _value_of_job(lowest, sweep.metric) or cell(lowest.value),
        "choices": lowest.choices,
        "summary": lowest.run.evaluation.summary if lowest.run else "",
        "note": judgement.note,
    }


def _by_sweep(sweep: SweepRecord) -> Judgement:
    """By the metric that the sweep names, of the jobs whose runs know it."""
    runs = {
        _job_name(job): job.run
        for job in sweep.jobs
        if job.state == FINISHED and job.run and _value_of_job(job, sweep.metric)
    }
    metrics = {name: run.evaluation.metrics for name, run in runs.items()}
    if not metrics or sweep.best is None or _job_name(sweep.best) not in metrics:
        return Judgement()
    if why := not_comparable(list(runs.values())):
        return Judgement(note=f"No best: {why}.")
    return by_metric(metrics, sweep.metric, higher=sweep.direction == MAXIMIZE)


def _value_of_job(job: JobRecord, metric: str) -> str:
    """With its error, if the job was judged by a metric of its evaluation."""
    metrics = job.run.evaluation.metrics if job.run else {}
    return value_with_error(metrics, metric) if metrics.get(metric) == job.value else ""


def _best(
    judgement: Judgement, choices: Mapping[str, Any], run: RunRecord | None
) -> dict[str, Any]:
    return {
        "label": BEST,
        "name": judgement.best,
        "metric": judgement.metric.replace("_", " "),
        "value": judgement.value,
        "choices": choices,
        "summary": run.evaluation.summary if run else "",
        "note": judgement.note,
    }


def _best_of(
    named: Mapping[str, RunRecord], judgement: Judgement, differences: Mapping[str, list[Any]]
) -> Mapping[str, Any]:
    if not judgement.best:
        return {**NO_BEST, "note": judgement.note}
    number = list(named).index(judgement.best)
    choices = {key: values[number] for key, values in list(differences.items())[:4]}
    return _best(judgement, choices, named[judgement.best])


def _sweep_tiles(sweep: SweepRecord) -> list[dict[str, str]]:
    finished = [job for job in sweep.jobs if job.state == FINISHED]
    seconds = [job.seconds for job in sweep.jobs if job.seconds]
    values = sorted(job.value for job in finished if job.value is not None)
    found = [("jobs", str(len(sweep.jobs)), f"{len(finished)} finished")]
    if values:
        lowest, highest = values[0], values[-1]
        found.append(
            (
                sweep.metric.replace("_", " "),
                f"{lowest:.4g} to {highest:.4g}",
                f"{sweep.direction}d",
            )
        )
    if seconds:
        found.append(
            ("time of all jobs", duration(sum(seconds)), f"{duration(max(seconds))} the longest")
        )
    found.append(("keys swept", str(len(sweep.swept)), ""))
    return [{"name": n, "value": v, "unit": "", "under": under} for n, v, under in found]


def _title(names: Sequence[str]) -> str:
    if len(names) > 3:
        return f"{len(names)} runs"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _common_metrics(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """The first few of those that tell runs apart; errors stand on the runs' own pages."""
    names = dict.fromkeys(name for metrics in found for name in metrics)
    telling = [
        name
        for name in names
        if not name.endswith(("_error", "_low", "_high"))
        and len({str(metrics.get(name)) for metrics in found if metrics}) > 1
    ]
    return telling[:MOST_METRICS]


def _lowest(run: RunRecord | None) -> float | None:
    return lowest_validation_loss(run) if run else None


def _rate(run: RunRecord) -> float | None:
    meters = run.last("meters")
    return meters["rates"]["whole run"]["samples_per_second"] if meters else None


def _scalar(value: Any) -> Any:
    return (
        value
        if isinstance(value, int | float | str) and not isinstance(value, bool)
        else str(value)
    )


def _link(run: RunRecord | None, place: Path) -> str:
    """From the page to a run's own, if it has one."""
    if run is None or not run.directory.report.is_file():
        return ""
    return quote(Path(os.path.relpath(run.directory.report, place)).as_posix())


def _splits(named: Mapping[str, RunRecord]) -> list[dict[str, Any]]:
    found = {name: times(run) for name, run in list(named.items())[:MOST_SPLITS]}
    return [{"name": name, **one} for name, one in found.items() if one]


def _difference_tables(
    named: Mapping[str, RunRecord], differences: Mapping[str, list[Any]]
) -> list[Table]:
    provenances = [asdict(run.provenance) for run in named.values()]
    software = [
        flat({key: values[key] for key in SOFTWARE if values[key]}) for values in provenances
    ]
    keys = dict.fromkeys(key for one in software for key in one)
    others = {key: [one.get(key, "-") for one in software] for key in keys}
    ran = {key: values for key, values in others.items() if any(v != values[0] for v in values)}
    tables = []
    for caption, found in (("Configuration", differences), ("Software, machine and data", ran)):
        if found:
            rows = [(key, *map(_scalar, values)) for key, values in found.items()]
            tables.append(Table(("key", *named), rows, caption))
    return tables
