"""Read the number that the jobs of a sweep are compared by."""

from __future__ import annotations

import math
from collections.abc import Iterable

from baryon.config.config import Config
from baryon.config.schemas import VALIDATION_LOSS
from baryon.errors import BaryonError, did_you_mean
from baryon.runs.directory import RunDirectory
from baryon.runs.metrics_log import LogLine, MetricsLog
from baryon.system.plain_data import is_number, read_json


def value(run: RunDirectory, config: Config, metric: str) -> float:
    """Return a finished run's validation loss, that of its final weights, or another metric.

    Raises `BaryonError` for a name that does not exist, or a value that is no finite number.
    """
    metrics = read_json(run.metrics)
    losses = [float(record["loss"]) for record in validations(MetricsLog(run.log).read())]
    numbers = {name: entry for name, entry in metrics.items() if not isinstance(entry, str)}
    if losses:
        best_weights = config.train.weights == "best"
        numbers[VALIDATION_LOSS] = min(losses) if best_weights else losses[-1]
    if metric not in numbers:
        raise BaryonError(
            f"there is no metric sweep.metric={metric}; {did_you_mean(numbers, metric)}"
        )
    number = numbers[metric]
    if not is_number(number) or not math.isfinite(number):
        raise BaryonError(
            f"sweep.metric={metric} is {number} in {run.metrics}, which is no finite number"
        )
    return float(number)


def validations(records: Iterable[LogLine]) -> list[LogLine]:
    """Return the records of validations from a run's log."""
    return [record for record in records if record["kind"] == "validation"]
