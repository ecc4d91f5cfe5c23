"""The page of a sweep: its best job, parallel coordinates, the table of jobs and their curves."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baryon.config.schemas import VALIDATION_LOSS
from baryon.report.page import charts, runs_table
from baryon.report.page.importance import importance
from baryon.report.page.overlays import overlays
from baryon.report.page.page import render
from baryon.report.page.ranking import ranks, shade_charts, shades
from baryon.report.page.runs_table import Column, metric_column, scalar
from baryon.runs.directory import RunDirectory
from baryon.runs.judgement import Judgement, by_metric, judge, not_comparable, value_with_error
from baryon.runs.record import RunRecord
from baryon.runs.run_state import FINISHED
from baryon.runs.sweep_file import MAXIMIZE
from baryon.runs.sweep_record import JobRecord, SweepRecord, lowest_validation_loss
from baryon.terminal.cells import cell
from baryon.terminal.units import duration

BEST = "Best"
"""Label of the best job; any other label says why the job is named."""


@dataclass(frozen=True)
class _RankedJob:
    """A job with its rank, 0 for the best, and its shade, 1 for the best; None without a value."""

    job: JobRecord
    rank: int | None
    shade: float | None

    @property
    def name(self) -> str:
        return _job_name(self.job)


def page(sweep: SweepRecord, place: Path, tag: str = "") -> str:
    """Write the page of a sweep.

    `place` is the folder that the page is written to: links lead from there to each run. `tag` is
    the state of the page where it is served live.
    """
    jobs = _by_result(_ranked(sweep))
    runs = {job.name: job.job.run for job in jobs if job.job.run is not None}
    drawn = charts.of_runs(runs)
    shade_charts(drawn, {job.name: job.shade for job in jobs})
    best = _best(sweep, runs)
    coordinates = _parallel_coordinates(sweep, jobs)
    columns = _columns(sweep, [job.job for job in jobs])
    return render(
        "several.html.j2",
        {"charts": drawn, "parallel": coordinates},
        title=sweep.name,
        going=sweep.is_running,
        tag=tag,
        sweep=True,
        states=Counter(job.state for job in sweep.jobs),
        best=best,
        missing=sweep.problems,
        headline_tiles=_tiles(sweep),
        parallel=coordinates is not None,
        importance=importance(
            sweep.swept, [job.choices for job in sweep.jobs], [job.value for job in sweep.jobs]
        ),
        overlays=overlays(_best_runs(jobs)),
        columns=[column.head() for column in columns],
        answers=_answers(sweep, place),
        rows=runs_table.with_cells(_rows(jobs, best, place), columns),
        errors=_errors(jobs),
        splits=[],
        differences=[],
        command=shlex.join(map(str, sweep.command)) if sweep.command else "",
    )


def _answers(sweep: SweepRecord, place: Path) -> list[dict[str, str]]:
    """Return what all folds together say, each with the address of its page."""
    folders = RunDirectory(sweep.path).evaluations
    return [
        {
            "name": name,
            "summary": answer.summary,
            "link": runs_table.page_link(folders / name / "report.html", place),
        }
        for name, answer in sweep.answers.items()
    ]


def _ranked(sweep: SweepRecord) -> list[_RankedJob]:
    of_jobs = ranks([job.value for job in sweep.jobs], higher=sweep.direction == MAXIMIZE)
    return list(map(_RankedJob, sweep.jobs, of_jobs, shades(of_jobs)))


def _by_result(jobs: Sequence[_RankedJob]) -> list[_RankedJob]:
    """Return the jobs in the order of their results: the best first, those without any last."""
    return sorted(
        jobs, key=lambda job: (job.rank is None, job.rank or 0, job.job.state, job.job.number)
    )


def _best_runs(jobs: Sequence[_RankedJob]) -> dict[str, RunRecord]:
    # Overlays draw the first few runs alone: the order of `jobs` makes these the best.
    return {job.name: job.job.run for job in jobs if job.rank is not None and job.job.run}


def _rows(jobs: Sequence[_RankedJob], best: Mapping[str, Any], place: Path) -> list[dict[str, Any]]:
    return [
        runs_table.row(
            job.name,
            job.job.number,
            job.job.run,
            place,
            state=job.job.state,
            best=best["label"] == BEST and job.name == best["name"],
        )
        for job in jobs
    ]


def _columns(sweep: SweepRecord, jobs: Sequence[JobRecord]) -> list[Column]:
    """Return the swept keys, the metrics and the time of the jobs, in their order."""
    runs = [job.run for job in jobs]
    metrics = runs_table.distinguishing_metrics([run.evaluation.metrics for run in runs if run])
    values = Column(
        sweep.metric,
        [job.value for job in jobs],
        texts=[_value_with_error(job, sweep.metric) for job in jobs],
    )
    losses = [lowest_validation_loss(run) if run else None for run in runs]
    lowest = [Column("lowest validation loss", losses)] if sweep.metric != VALIDATION_LOSS else []
    return [
        *[Column(key, [job.choices.get(key) for job in jobs]) for key in sweep.swept],
        values,
        *lowest,
        *[metric_column(name, runs) for name in metrics if name != sweep.metric],
        Column("time", [job.seconds for job in jobs], seconds=True),
    ]


def _parallel_coordinates(sweep: SweepRecord, jobs: Sequence[_RankedJob]) -> dict[str, Any] | None:
    """Return what `parallel.js` draws; None if no key was swept or no job has a value."""
    if not sweep.swept or all(job.rank is None for job in jobs):
        return None
    return {
        "axes": list(sweep.swept),
        "metric": sweep.metric.replace("_", " "),
        "jobs": [
            {
                "name": job.name,
                "choices": [scalar(job.job.choices.get(key)) for key in sweep.swept],
                "value": job.job.value,
                "rank": job.rank,
                "shade": job.shade,
            }
            for job in jobs
        ],
    }


def _errors(jobs: Sequence[_RankedJob]) -> list[dict[str, str]]:
    """Return the errors of failed jobs, jobs with the same error together."""
    names: dict[str, list[str]] = {}
    for job in jobs:
        if job.job.error:
            names.setdefault(job.job.error, []).append(job.name)
    return [{"name": _first_names(of_error), "text": text} for text, of_error in names.items()]


def _first_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _job_name(job: JobRecord) -> str:
    return f"job {job.number}"


def _best(sweep: SweepRecord, runs: Mapping[str, RunRecord]) -> dict[str, Any]:
    """Return the best job by the sweep's metric, as the template takes it.

    A loss alone makes no job the best if the evaluator can judge.
    """
    judgement = judge(runs) if sweep.metric == VALIDATION_LOSS else _by_sweeps_metric(sweep)
    if judgement.best:
        job = next(job for job in sweep.jobs if _job_name(job) == judgement.best)
        metric, value, label = judgement.metric, judgement.value, BEST
    elif sweep.best is not None:
        job, metric = sweep.best, sweep.metric
        value = _value_with_error(job, metric) or cell(job.value)
        extreme = "Highest" if sweep.direction == MAXIMIZE else "Lowest"
        is_best = metric != VALIDATION_LOSS and not judgement.note
        label = BEST if is_best else f"{extreme} {metric.replace('_', ' ')}"
    else:
        return {"label": "", "name": "", "note": judgement.note}
    return {
        "label": label,
        "name": _job_name(job),
        "metric": metric.replace("_", " "),
        "value": value,
        "choices": job.choices,
        "summary": job.run.evaluation.summary if job.run else "",
        "note": judgement.note,
    }


def _by_sweeps_metric(sweep: SweepRecord) -> Judgement:
    """Judge the finished jobs whose evaluations know the sweep's metric."""
    runs = {
        _job_name(job): job.run
        for job in sweep.jobs
        if job.state == FINISHED and job.run and _value_with_error(job, sweep.metric)
    }
    if sweep.best is None or _job_name(sweep.best) not in runs:
        return Judgement()
    if reason := not_comparable(list(runs.values())):
        return Judgement(note=f"No best: {reason}.")
    metrics = {name: run.evaluation.metrics for name, run in runs.items()}
    return by_metric(metrics, sweep.metric, higher=sweep.direction == MAXIMIZE)


def _value_with_error(job: JobRecord, metric: str) -> str:
    """Write a job's value with its error; "" if it is no metric of its evaluation."""
    metrics = job.run.evaluation.metrics if job.run else {}
    return value_with_error(metrics, metric) if metrics.get(metric) == job.value else ""


def _tiles(sweep: SweepRecord) -> list[dict[str, str]]:
    finished = [job for job in sweep.jobs if job.state == FINISHED]
    seconds = [job.seconds for job in sweep.jobs if job.seconds]
    values = sorted(job.value for job in finished if job.value is not None)
    tiles = [("jobs", str(len(sweep.jobs)), f"{len(finished)} finished")]
    if values:
        metric, values_range = (
            sweep.metric.replace("_", " "),
            f"{values[0]:.4g} to {values[-1]:.4g}",
        )
        tiles.append((metric, values_range, f"{sweep.direction}d"))
    if seconds:
        total, longest = duration(sum(seconds)), duration(max(seconds))
        tiles.append(("time of all jobs", total, f"{longest} the longest"))
    tiles.append(("keys swept", str(len(sweep.swept)), ""))
    return [{"name": n, "value": v, "unit": "", "under": under} for n, v, under in tiles]
