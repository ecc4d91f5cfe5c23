"""The page of several runs side by side: their answers, their curves, and in what they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from baryon.config.flatten import flat
from baryon.interfaces import Table
from baryon.report.page import charts, runs_table
from baryon.report.page.overlays import overlays
from baryon.report.page.page import render
from baryon.report.page.ranking import ranks, shade_charts, shades
from baryon.report.page.run_page import times
from baryon.report.page.runs_table import Column, metric_column, scalar
from baryon.runs.comparison import differing
from baryon.runs.judgement import Judgement, judge
from baryon.runs.record import RunRecord
from baryon.runs.run_state import RUNNING
from baryon.runs.sweep_record import lowest_validation_loss

MAX_SPLITS = 12
"""Runs whose wall-clock time is shown by phases."""
MAX_CHOICES = 4
"""Differences that are named with the best run."""
SOFTWARE = ("baryon", "python", "plugins", "libraries", "machine", "git", "data", "environment")


def page(runs: Sequence[RunRecord], place: Path, tag: str = "") -> str:
    """Write the page of several runs.

    `place` is the folder that the page is written to: links lead from there to each run. `tag` is
    the state of the page where it is served live.
    """
    named = dict(zip(_names(runs), runs, strict=True))
    judgement, differences = judge(named), differing(runs)
    columns = _columns(runs)
    rows = [
        runs_table.row(name, number, run, place, state=run.state, best=name == judgement.best)
        for number, (name, run) in enumerate(named.items())
    ]
    return render(
        "several.html.j2",
        {"charts": _charts(named), "parallel": None},
        title=_title(list(named)),
        going=any(run.state == RUNNING for run in runs),
        tag=tag,
        sweep=False,
        states=Counter(run.state for run in runs),
        best=_best(named, judgement, differences),
        missing=[f"{name}: {text}" for name, run in named.items() for text in run.problems],
        headline_tiles=[],
        answers=[],
        parallel=False,
        importance=[],
        overlays=overlays(named),
        columns=[column.head() for column in columns],
        rows=runs_table.with_cells(rows, columns),
        errors=[],
        splits=_splits(named),
        differences=_difference_tables(named, differences),
        command="",
    )


def _charts(named: Mapping[str, RunRecord]) -> list[charts.Chart]:
    losses = [lowest_validation_loss(run) for run in named.values()]
    drawn = charts.of_runs(named)
    shade_charts(drawn, dict(zip(named, shades(ranks(losses, higher=False)), strict=True)))
    return drawn


def _columns(runs: Sequence[RunRecord]) -> list[Column]:
    metrics = runs_table.distinguishing_metrics([run.evaluation.metrics for run in runs])
    return [
        Column("lowest validation loss", [lowest_validation_loss(run) for run in runs]),
        *[metric_column(name, runs) for name in metrics],
        Column("steps", [(run.last("train") or {}).get("step") for run in runs]),
        Column("samples/s", [_rate(run) for run in runs]),
        Column("time", [run.seconds for run in runs], seconds=True),
    ]


def _rate(run: RunRecord) -> float | None:
    meters = run.last("meters")
    return meters["rates"]["whole run"]["samples_per_second"] if meters else None


def _names(runs: Sequence[RunRecord]) -> list[str]:
    """Return the names of the runs' folders; where two are alike, with more of their paths."""
    names = [run.name for run in runs]
    if len(set(names)) == len(names):
        return names
    # Two folders of a path may be alike as well (a/sweep/0 and b/sweep/0): the number tells them
    # apart.
    return ["/".join(run.directory.path.parts[-2:]) + f" ({n + 1})" for n, run in enumerate(runs)]


def _title(names: Sequence[str]) -> str:
    if len(names) > 3:
        return f"{len(names)} runs"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _best(
    named: Mapping[str, RunRecord], judgement: Judgement, differences: Mapping[str, list[Any]]
) -> dict[str, Any]:
    """Return the best run by its evaluator's metric, as the template takes it."""
    if not judgement.best:
        return {"name": "", "note": judgement.note}
    number = list(named).index(judgement.best)
    choices = {key: values[number] for key, values in list(differences.items())[:MAX_CHOICES]}
    return {
        "label": "Best",
        "name": judgement.best,
        "metric": judgement.metric.replace("_", " "),
        "value": judgement.value,
        "choices": choices,
        "summary": named[judgement.best].evaluation.summary,
        "note": judgement.note,
    }


def _splits(named: Mapping[str, RunRecord]) -> list[dict[str, Any]]:
    of_runs = {name: times(run) for name, run in list(named.items())[:MAX_SPLITS]}
    return [{"name": name, **split} for name, split in of_runs.items() if split]


def _difference_tables(
    named: Mapping[str, RunRecord], differences: Mapping[str, list[Any]]
) -> list[Table]:
    provenances = [asdict(run.provenance) for run in named.values()]
    surroundings = [
        flat({key: values[key] for key in SOFTWARE if values[key]}) for values in provenances
    ]
    keys = dict.fromkeys(key for of_run in surroundings for key in of_run)
    values = {key: [of_run.get(key, "-") for of_run in surroundings] for key in keys}
    others = {
        key: of_runs
        for key, of_runs in values.items()
        if any(value != of_runs[0] for value in of_runs)
    }
    tables = (("Configuration", differences), ("Software, machine and data", others))
    return [
        Table(
            ("key", *named), [(key, *map(scalar, values)) for key, values in rows.items()], caption
        )
        for caption, rows in tables
        if rows
    ]
