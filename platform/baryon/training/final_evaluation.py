"""Evaluate a trained model on a split, and write and show the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from baryon.config.config import Config
from baryon.data.loader import Loader
from baryon.interfaces import CommunicatorSummary, Evaluation
from baryon.plugins.answers import checked_findings
from baryon.report.results import show_results, write_results
from baryon.runs.directory import RunDirectory
from baryon.runs.metrics_log import MetricsLog
from baryon.terminal.console import say
from baryon.tracking.trackers import Trackers
from baryon.training.build import TRAIN, RunComponents
from baryon.training.evaluation import Pass, StoppedError, evaluate
from baryon.training.stop_request import StopRequest, exit_code_of_all


@dataclass(frozen=True)
class Judged:
    """Samples, and which weights judge which of them: see `baryon.training.evaluation.Pass`."""

    loader: Loader
    passes: Sequence[Pass]


def evaluate_and_write(
    run: RunDirectory,
    config: Config,
    components: RunComponents,
    split: str,
    trackers: Trackers | None = None,
    stop: StopRequest | None = None,
    judged: Judged | None = None,
) -> None:
    """Evaluate on a split; the leader writes and shows the results. Collective.

    Parameters
    ----------
    run
        The folder that the results are written to.
    config
        The frozen config.
    components
        With the trained weights in the model.
    split
        Name of the split.
    trackers
        Those of the training that came just before, if there was one; the communicator's summary
        of that training is then part of the results.
    stop
        What has caught the signals.
    judged
        What is evaluated in place of the split with the weights that the model has.

    Raises
    ------
    BaryonError
        If a component fails.
    SystemExit
        On all workers, if a signal came before all samples were seen.

    """
    comm = components.comm
    while True:
        evaluation = _evaluate_or_exit(run, components, split, stop, judged)
        summary = comm.summary() if trackers else CommunicatorSummary()
        if evaluation is not None:
            summary = checked_findings(components.owners["comm"], summary)
            evaluation = _with_summary(_with_split_warning(evaluation, split), summary)
            _log_summary(run, summary)
            write_results(run, config, evaluation, split, [*summary.tables, *summary.figures])
            show_results(run, evaluation)
            if trackers:
                trackers.answer(evaluation.metrics, split)
        # The leader may have died before it had written: then another one does it again.
        if comm.all_reduce_sum({"written": float(evaluation is not None)})["written"] > 0:
            return


def _evaluate_or_exit(
    run: RunDirectory,
    components: RunComponents,
    split: str,
    stop: StopRequest | None,
    judged: Judged | None,
) -> Evaluation | None:
    """Return the evaluation on the leader, None elsewhere; exit if a signal came meanwhile."""
    try:
        if judged is not None:
            return evaluate(components, judged.loader, split, stop, judged.passes)
        return evaluate(components, components.loader(split), split, stop)
    except StoppedError:
        say(
            f"stopped by {stop} in the evaluation; the run is trained: go on with `baryon "
            f"resume run={run.path}`"
        )
        # A sweep that asks to stop means the training alone: here only signals have a code.
        code = stop.exit_code if stop and stop.signal else 0
        raise SystemExit(exit_code_of_all(components.comm, code)) from None


def _with_split_warning(evaluation: Evaluation, split: str) -> Evaluation:
    if split != TRAIN:
        return evaluation
    text = "evaluated on the training split itself: give dataset.test for an honest answer"
    return replace(evaluation, warnings=[text, *evaluation.warnings])


def _with_summary(evaluation: Evaluation, summary: CommunicatorSummary) -> Evaluation:
    return replace(
        evaluation,
        metrics={**evaluation.metrics, **summary.metrics},
        tables={**evaluation.tables, **summary.tables},
        figures={**evaluation.figures, **summary.figures},
        warnings=[*evaluation.warnings, *summary.warnings],
    )


def _log_summary(run: RunDirectory, summary: CommunicatorSummary) -> None:
    """Write the communicator's metrics and tables into the log, each table as a list of rows."""
    if summary.tables:
        tables = {
            name: [dict(zip(table.columns, row, strict=True)) for row in table.rows]
            for name, table in summary.tables.items()
        }
        MetricsLog(run.log).write("communication", {**summary.metrics, **tables})
