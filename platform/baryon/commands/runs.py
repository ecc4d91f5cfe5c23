"""List the runs in a folder with their answers."""

from __future__ import annotations

from baryon.commands.arguments import Arguments
from baryon.runs.judgement import value_with_error
from baryon.runs.record import RunRecord
from baryon.terminal.console import console, say, show
from baryon.terminal.tables import fitted_text
from baryon.terminal.units import duration

COLUMNS = ("run", "state", "dataset", "model", "comm", "time", "answer")


def run(arguments: Arguments) -> int:
    """Show a row a run, the newest first."""
    from baryon.api.run_list import list_runs

    root = arguments["root"] or "runs"
    rows = [_row(entry.record) for entry in reversed(list_runs(root))]
    if not rows:
        say(f"no runs in {root}")
        return 0
    show(fitted_text(COLUMNS, rows, console().width, boxed=True))
    return 0


def _row(record: RunRecord) -> tuple[str, ...]:
    config = record.config
    names = [str(config.get(kind, {}).get("name", "-")) for kind in ("dataset", "model", "comm")]
    time = duration(record.seconds) if record.seconds is not None else "-"
    return record.name, record.state, *names, time, _answer(record)


def _answer(record: RunRecord) -> str:
    """Return the first metric by which the run is judged, with its error; "-" without one."""
    metrics = record.evaluation.metrics
    for judged_by in record.evaluation.judged_by:
        name = str(judged_by).removeprefix("-")  # a minus sign says that less is better
        if value := value_with_error(metrics, name):
            return f"{name} {value}"
    return "-"
