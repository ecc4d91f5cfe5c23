"""An evaluation's answer: onto the terminal, and into a folder as figures, page and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from baryon.config import Config
from baryon.interfaces import Evaluation, Table
from baryon.reporting import figures, report
from baryon.reporting.console import say, show, warn
from baryon.reporting.metrics_log import MetricsLog
from baryon.reporting.run_directory import RunDirectory, write_json


def write_results(
    run: RunDirectory,
    config: Config,
    versions: Mapping[str, Any],
    evaluation: Evaluation,
    split: str,
) -> None:
    """Figures, report, then `metrics.json`, which marks the run as finished."""
    records = MetricsLog(run.log).read()
    shown = dict(evaluation.figures)
    if records:
        shown["training"] = figures.curves(records)
    figures.save(shown, run.figures)
    report.write(run, config, versions, evaluation, split, shown, records)
    write_json(run.metrics, evaluation.metrics)


def show_results(run: RunDirectory, evaluation: Evaluation) -> None:
    """The tables, the answer, the warnings, and where the report lies."""
    for table in evaluation.tables.values():
        show_table(table)
    say(evaluation.summary)
    for text in evaluation.warnings:
        warn(text)
    say(f"report: {run.report}")


def show_table(table: Table) -> None:
    """One table on the terminal."""
    from rich import table as rich_table

    shown = rich_table.Table(*map(str, table.columns), title=table.caption, title_justify="left")
    for row in table.rows:
        shown.add_row(*(report.cell(value) for value in row))
    show(shown)
