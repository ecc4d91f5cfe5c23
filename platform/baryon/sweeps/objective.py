"""The one number that jobs of a sweep are compared by."""

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
    """A finished run's validation loss, that of the weights it ends with, or an evaluator's figure.

    Raises `BaryonError` for a name that does not exist, or a figure that is no number.
    """
    figures = read_json(run.metrics)
    losses = [float(record["loss"]) for record in validations(MetricsLog(run.log).read())]
    found = {name: figure for name, figure in figures.items() if not isinstance(figure, str)}
    if losses:
        found[VALIDATION_LOSS] = min(losses) if config.train.weights == "best" else losses[-1]
    if metric not in found:
        raise BaryonError(
            f"there is no figure sweep.metric={metric}; {did_you_mean(found, metric)}"
        )
    number = found[metric]
    if not is_number(number) or not math.isfinite(number):
        raise BaryonError(f"sweep.metric={metric} is {number} in {run.metrics}, which is no number")
    return float(number)


def validations(records: Iterable[LogLine]) -> list[LogLine]:
    """The records of a run's log that tell of a validation."""
    return [record for record in records if record["kind"] == "validation"]
