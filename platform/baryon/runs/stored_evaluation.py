"""Read and write `evaluation.json`: an evaluation's answer, but for its figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from baryon.interfaces import LARGEST_CURVE, Curve, Evaluation, Table
from baryon.runs.directory import RunDirectory, write_json
from baryon.system.plain_data import Shape, fits, is_mapping, is_number, is_text, read_json
from baryon.terminal.credentials import without_credentials


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


SHAPES: Mapping[str, Shape] = {
    "split": is_text, "summary": is_text, "metrics": is_mapping, "warnings": _is_list,
    "tables": is_mapping, "captions": is_mapping, "of_communication": _is_list,
    "judged_by": _is_list, "curves": is_mapping,
}  # fmt: skip
"""What each part of the file must look like: it may come from somebody else."""
COLUMNS = ("x", "y", "low", "high")


def _is_column(value: Any) -> bool:
    return isinstance(value, list) and all(entry is None or is_number(entry) for entry in value)


CURVE: Shape = {
    **dict.fromkeys(COLUMNS, _is_column), "x_label": is_text, "y_label": is_text,
    "log": lambda flag: isinstance(flag, bool),
}  # fmt: skip


@dataclass(frozen=True)
class StoredEvaluation:
    """Content of `evaluation.json`; a part that the file lacks is empty.

    Attributes
    ----------
    split : name of the split that was evaluated
    summary : the answer in one sentence
    metrics : figures by the evaluator's names
    warnings : what a reader of the answer must know
    tables : tables by name, those of the communicator included
    captions : what each saved figure shows, by its file name without suffix
    of_communication : names of the tables and figures that tell of the processes, not of the field
    judged_by : metrics that decide between runs, "-" before one of which less is better
    curves : curves by name, which are drawn over those of other runs

    """

    split: str = ""
    summary: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    tables: Mapping[str, Table] = field(default_factory=dict)
    captions: Mapping[str, Any] = field(default_factory=dict)
    of_communication: Sequence[str] = ()
    judged_by: Sequence[str] = ()
    curves: Mapping[str, Curve] = field(default_factory=dict)


def write(
    run: RunDirectory,
    evaluation: Evaluation,
    *,
    split: str,
    captions: Mapping[str, str],
    of_communication: Sequence[str],
) -> None:
    """Write the file into a run's folder; see `StoredEvaluation` for the arguments."""
    stored = StoredEvaluation(
        split=split,
        summary=evaluation.summary,
        metrics=evaluation.metrics,
        warnings=list(evaluation.warnings),
        tables=evaluation.tables,
        captions=captions,
        of_communication=list(of_communication),
        judged_by=list(evaluation.judged_by),
        curves=evaluation.curves,
    )
    write_json(run.evaluation, asdict(stored))


def read(run: RunDirectory) -> tuple[StoredEvaluation, list[str]]:
    """Read the file of a run, as far as it is sound, and a line for each part that is damaged.

    Raises
    ------
    BaryonError
        If the file is not readable as a mapping.

    """
    values = without_credentials(read_json(run.evaluation))
    known = [key for key in SHAPES if key in values]
    damaged = [key for key in known if not fits(values[key], SHAPES[key])]
    sound = {key: values[key] for key in known if key not in damaged}
    tables = sound.get("tables", {})
    sound["tables"] = {
        name: Table(table["columns"], table["rows"], str(table.get("caption", "")))
        for name, table in tables.items()
        if _is_table(table)
    }
    curves = sound.get("curves", {})
    sound["curves"] = {name: _curve(curve) for name, curve in curves.items() if _is_curve(curve)}
    problems = [
        f"{kind} {name}, which is damaged"
        for kind, of_kind in (("table", tables), ("curve", curves))
        for name in of_kind
        if name not in sound[f"{kind}s"]
    ]
    if damaged:
        problems.append(f"{', '.join(damaged)} of {run.evaluation.name}, which is damaged")
    return StoredEvaluation(**sound), problems


def _is_table(table: Any) -> bool:
    """Return whether this is a table whose rows have as many cells as it has columns."""
    if not isinstance(table, dict) or not {"columns", "rows"} <= table.keys():
        return False
    columns, rows = table["columns"], table["rows"]
    if not isinstance(columns, list) or not isinstance(rows, list):
        return False
    return all(isinstance(row, list) and len(row) == len(columns) for row in rows)


def _is_curve(curve: Any) -> bool:
    """Return whether this has the columns of a curve, of one length that a page can draw."""
    if not fits(curve, CURVE):
        return False
    x, y, low, high = (curve[key] for key in COLUMNS)
    same = len(x) == len(y) and len(low) == len(high) and len(low) in (0, len(x))
    return same and len(x) <= LARGEST_CURVE


def _curve(curve: Mapping[str, Any]) -> Curve:
    columns = {
        key: [math.nan if value is None else float(value) for value in curve[key]]
        for key in COLUMNS
    }
    return Curve(**columns, x_label=curve["x_label"], y_label=curve["y_label"], log=curve["log"])
