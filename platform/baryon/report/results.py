"""An evaluation's answer: onto the terminal, and into a folder as figures, page and numbers."""

from __future__ import annotations

from collections.abc import Sequence

from baryon.config.config import Config
from baryon.interfaces import Evaluation, Table
from baryon.report import figures
from baryon.report.page import run_page
from baryon.runs import record as run_record
from baryon.runs import stored_evaluation
from baryon.runs.directory import RunDirectory, write_json
from baryon.runs.metrics_log import MetricsLog
from baryon.system.atomic import write_text
from baryon.terminal.console import console, say, show, warn
from baryon.terminal.tables import fitted


def write_results(
    run: RunDirectory,
    config: Config,
    evaluation: Evaluation,
    split: str,
    of_communication: Sequence[str] = (),
) -> None:
    """Figures, answer, report, then `metrics.json`, which marks the run as finished.

    `of_communication` names the tables and figures that tell of the processes, not of the field.
    """
    records = MetricsLog(run.log).read()
    shown = dict(evaluation.figures)
    if records:
        shown[run_page.TRAINING] = figures.curves(records)
    figures.save(shown, run.figures)
    captions = {name: figures.caption(name, figure) for name, figure in shown.items()}
    stored_evaluation.write(
        run, evaluation, split=split, captions=captions, of_communication=of_communication
    )
    record = run_record.read(run, config=config.values, finished=True)
    write_text(run.report, run_page.page(record))
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
    show(fitted(table, console().width))
