"""Show an evaluation: on the terminal, and in a run's folder as figures, page and numbers."""

from __future__ import annotations

from collections.abc import Sequence

from baryon import figures
from baryon.config.config import Config
from baryon.interfaces import Evaluation, Table
from baryon.report.page import run_page
from baryon.report.training_curves import curves
from baryon.runs import record as run_record
from baryon.runs import stored_evaluation
from baryon.runs.directory import RunDirectory, write_json
from baryon.runs.metrics_log import MetricsLog
from baryon.system.atomic import write_text
from baryon.terminal.console import conclude, console, name_report, show, warn
from baryon.terminal.handler import has_terminal
from baryon.terminal.tables import fitted


def write_results(
    run: RunDirectory,
    config: Config,
    evaluation: Evaluation,
    split: str,
    of_communication: Sequence[str] = (),
) -> None:
    """Write figures, evaluation and report into a run's folder, then `metrics.json`.

    `split` is the split that was evaluated. `of_communication` names the tables and figures that
    describe the processes, not the field.
    """
    records = MetricsLog(run.log).read()
    shown = dict(evaluation.figures)
    if records:
        shown[run_page.TRAINING] = curves(records)
    figures.save(shown, run.figures)
    captions = {name: figures.caption(name, figure) for name, figure in shown.items()}
    stored_evaluation.write(
        run, evaluation, split=split, captions=captions, of_communication=of_communication
    )
    # Read back as `baryon report` reads it: the page is the same whoever writes it. `metrics.json`,
    # by which a run counts as finished, is not there yet.
    record = run_record.read(run, config=config.values, finished=True)
    write_text(run.report, run_page.page(record))
    write_json(run.metrics, evaluation.metrics)  # the last file: it marks the run as finished


def show_results(run: RunDirectory, evaluation: Evaluation) -> None:
    """Show the tables, the warnings, and last the answer and the path of the report.

    A log has all warnings, a terminal a line for them.
    """
    for table in evaluation.tables.values():
        show_table(table)
    for text in _folded(evaluation.warnings) if has_terminal() else evaluation.warnings:
        warn(text)
    conclude(evaluation.summary)
    name_report(run.report)


def _folded(warnings: Sequence[str]) -> Sequence[str]:
    """Return one line for several warnings: on a screen the answer must not drown in them."""
    if len(warnings) < 2:
        return warnings
    return [f"{warnings[0]} (and {len(warnings) - 1} more in the report)"]


def show_table(table: Table) -> None:
    """Show a table on the terminal, in its width."""
    show(fitted(table, console().width))
