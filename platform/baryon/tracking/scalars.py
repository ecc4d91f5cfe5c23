"""Name the numbers of a line of a run's log, the same for every tracker."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from baryon.runs.metrics_log import STEPS

POSITION = ("step", "epoch", "seconds", STEPS)
"""Entries that say where in the run a line stands, and measure nothing."""
GROUPS = {
    "samples_per_second": "speed",
    "tflops_per_second": "speed",
    "mfu": "speed",
}
"""Numbers that are no losses, and the group that they are shown in."""
KINDS = ("train", "validation")


def scalars(kind: str, values: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a line of the log by the names that trackers show.

    Such as `train/loss`, `validation/loss`, `speed/samples_per_second`, `ms/forward` and
    `comm/staleness`. Empty for lines that are not measurements; numbers that are not finite stay.

    Parameters
    ----------
    kind
        The kind of the line, such as "train".
    values
        The line's entries.

    """
    if kind not in KINDS:
        return {}
    numbers: dict[str, float] = {}
    for name, value in values.items():
        if name in POSITION:
            continue
        if isinstance(value, Mapping):
            numbers |= {f"{name}/{key}": part for key, part in value.items() if _is_number(part)}
        elif _is_number(value):
            numbers[f"{GROUPS.get(name, kind)}/{name}"] = float(value)
    return numbers


def results(metrics: Mapping[str, Any], split: str) -> dict[str, float]:
    """Return the finite metrics of an evaluation by the names that trackers show: `test/auc`."""
    return {
        f"{split}/{name}": float(value)
        for name, value in metrics.items()
        if _is_number(value) and math.isfinite(value)
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
