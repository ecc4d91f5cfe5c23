"""Which of several runs is the best, where that can be said at all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from baryon.runs.record import RunRecord
from baryon.terminal.rounding import interval, short, within


@dataclass(frozen=True)
class Judgement:
    """The best of several runs, by a metric of their evaluator; or why there is none."""

    best: str = ""
    """Name of the run; "" where none can be called so."""
    metric: str = ""
    value: str = ""
    """The best run's, with its error."""
    note: str = ""
    """Why there is no best, or that it is not better than its error; "" otherwise."""


def judge(runs: Mapping[str, RunRecord]) -> Judgement:
    """Compare runs by name, those that were evaluated, by what their evaluator is judged by."""
    answered = {name: run for name, run in runs.items() if run.answered}
    if len(answered) < 2:
        return Judgement()
    why = not_comparable(list(answered.values()))
    if why:
        return Judgement(note=f"No best: {why}.")
    for decisive in _judged_by(answered):
        metric = decisive.removeprefix("-")
        metrics = {name: run.answer["metrics"] for name, run in answered.items()}
        if all(_known(of_run.get(metric)) for of_run in metrics.values()):
            return by_metric(metrics, metric, higher=not decisive.startswith("-"))
    return Judgement(note="No best: these runs have no metric in common that decides.")


def by_metric(metrics: Mapping[str, Mapping[str, Any]], metric: str, *, higher: bool) -> Judgement:
    """The best of runs by name, all of which know the metric, and whether it is surely so."""
    sign = -1 if higher else 1
    first, *others = sorted(metrics, key=lambda name: sign * metrics[name][metric])
    value = value_with_error(metrics[first], metric)
    note = _difference(metrics, first, others[0], metric, higher=higher) if others else ""
    return Judgement(first, metric, value, note)


def value_with_error(metrics: Mapping[str, Any], metric: str) -> str:
    """`0.32 ± 0.03`; four digits where no error stands beside the metric; "" where it is none."""
    if not _known(metrics.get(metric)):
        return ""
    value = float(metrics[metric])
    low, high = interval(metrics, metric)
    return within(value, low, high) if math.isfinite(low) and high > low else f"{value:.4g}"


def _difference(
    metrics: Mapping[str, Mapping[str, Any]], first: str, second: str, metric: str, *, higher: bool
) -> str:
    """What is to be said of the difference of the two best."""
    better, worse = metrics[first], metrics[second]
    ends = interval(better, metric), interval(worse, metric)
    towards = (0, 1) if higher else (1, 0)  # the end of each that lies on the other's side
    errors = [
        abs(of_run[metric] - end[side])
        for of_run, end, side in zip((better, worse), ends, towards, strict=True)
    ]
    difference, error = abs(better[metric] - worse[metric]), math.hypot(*errors)
    if not math.isfinite(error) or difference >= error:
        return ""
    return (
        f"The difference to {second}, {short(difference)}, is below its error, {short(error)} "
        "(both taken as independent)."
    )


def not_comparable(runs: Sequence[RunRecord]) -> str:
    """Say why no metric can judge between evaluated runs; "" where one can."""
    evaluators = {_name(run.config.get("evaluator")) for run in runs}
    if len(evaluators) > 1:
        return f"these runs have different evaluators ({', '.join(sorted(evaluators))})"
    splits = {run.answer["split"] for run in runs}
    if len(splits) > 1:
        return f"these runs were evaluated on different splits ({', '.join(sorted(splits))})"
    data = {str(run.provenance.get("data", {}).get(run.answer["split"], "")) for run in runs}
    if len(data - {""}) > 1:
        return "these runs were evaluated on different data"
    return ""


def _name(component: Any) -> str:
    return str(component.get("name", "?")) if isinstance(component, Mapping) else "?"


def _judged_by(runs: Mapping[str, RunRecord]) -> list[str]:
    """Metrics by which every run says that it is judged, in the order of the first."""
    first, *others = [[str(name) for name in run.answer["judged_by"]] for run in runs.values()]
    return [name for name in first if all(name in other for other in others)]


def _known(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
