"""Tell which of several runs is the best, where that can be said at all.

Runs are judged by their evaluator's metric, and only if evaluator, split and data are the same.
Losses would not do: those of different fields, or of different weightings, cannot be compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from baryon.runs.record import RunRecord
from baryon.terminal.rounding import interval, short, within


@dataclass(frozen=True)
class Judgement:
    """The best of several runs, or the reason why there is none.

    Attributes
    ----------
    best : name of the best run; "" if none can be called so
    metric : the metric of the evaluator that decided
    value : the best run's value with its error, as text
    note : why there is no best, or that it is ahead by less than the error; "" otherwise

    """

    best: str = ""
    metric: str = ""
    value: str = ""
    note: str = ""


def judge(runs: Mapping[str, RunRecord]) -> Judgement:
    """Compare runs, by name, by the first metric that all their evaluators call decisive."""
    evaluated = {name: run for name, run in runs.items() if run.is_evaluated}
    if len(evaluated) < 2:
        return Judgement()
    reason = not_comparable(list(evaluated.values()))
    if reason:
        return Judgement(note=f"No best: {reason}.")
    for decisive in _decisive_metrics(evaluated):
        metric = decisive.removeprefix("-")  # "-": less is better
        metrics = {name: run.evaluation.metrics for name, run in evaluated.items()}
        # A metric that one run could not compute decides nothing: the next one is asked.
        if all(_is_known(of_run.get(metric)) for of_run in metrics.values()):
            return by_metric(metrics, metric, higher=not decisive.startswith("-"))
    return Judgement(note="No best: these runs have no metric in common that decides.")


def by_metric(metrics: Mapping[str, Mapping[str, Any]], metric: str, *, higher: bool) -> Judgement:
    """Return the best of some runs by a metric, with a note if it is not surely the best.

    Parameters
    ----------
    metrics
        Name of a run -> all its metrics; every run must know the one that decides.
    metric
        The one that decides.
    higher
        Whether a larger value is better.

    """
    sign = -1 if higher else 1
    first, *others = sorted(metrics, key=lambda name: sign * metrics[name][metric])
    value = value_with_error(metrics[first], metric)
    note = _difference_note(metrics, first, others[0], metric, higher=higher) if others else ""
    return Judgement(first, metric, value, note)


def value_with_error(metrics: Mapping[str, Any], metric: str) -> str:
    """Write a metric with the error beside it: `0.32 ± 0.03`.

    Without an error it has four digits; if it is not a finite number, the text is "".
    """
    if not _is_known(metrics.get(metric)):
        return ""
    value = float(metrics[metric])
    low, high = interval(metrics, metric)
    return within(value, low, high) if math.isfinite(low) and high > low else f"{value:.4g}"


def _difference_note(
    metrics: Mapping[str, Mapping[str, Any]], first: str, second: str, metric: str, *, higher: bool
) -> str:
    """Return a note if the two best differ by less than the error of their difference."""
    better, worse = metrics[first], metrics[second]
    # Of each interval the end counts that lies on the side of the other run's value.
    lower_end, upper_end = 0, 1
    ends = (lower_end, upper_end) if higher else (upper_end, lower_end)
    errors = [
        abs(of_run[metric] - interval(of_run, metric)[end])
        for of_run, end in zip((better, worse), ends, strict=True)
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
    evaluators = {_component_name(run.config.get("evaluator")) for run in runs}
    if len(evaluators) > 1:
        return f"these runs have different evaluators ({', '.join(sorted(evaluators))})"
    splits = {run.evaluation.split for run in runs}
    if len(splits) > 1:
        return f"these runs were evaluated on different splits ({', '.join(sorted(splits))})"
    fingerprints = {str(run.provenance.data.get(run.evaluation.split, "")) for run in runs}
    # A run that does not tell its data may have the same as the others.
    if len(fingerprints - {""}) > 1:
        return "these runs were evaluated on different data"
    return ""


def _component_name(choice: Any) -> str:
    return str(choice.get("name", "?")) if isinstance(choice, Mapping) else "?"


def _decisive_metrics(runs: Mapping[str, RunRecord]) -> list[str]:
    """Return the metrics by which every run is judged, in the order of the first run."""
    first, *others = [[str(name) for name in run.evaluation.judged_by] for run in runs.values()]
    return [name for name in first if all(name in other for other in others)]


def _is_known(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
