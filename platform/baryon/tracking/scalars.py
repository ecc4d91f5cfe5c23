"""A line of a run's log as named numbers, the same for every tracker."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from baryon.runs.metrics_log import STEPS

WHERE = ("step", "epoch", "seconds", STEPS)
GROUPS = {
    "samples_per_second": "speed",
    "tflops_per_second": "speed",
    "of_ceiling": "speed",
}
"""What is no loss, and where it is shown."""
KINDS = ("train", "validation")


def scalars(kind: str, values: Mapping[str, Any]) -> dict[str, float]:
    """`train/loss`, `validation/loss`, `speed/samples_per_second`, `ms/forward`, `comm/staleness`.

    Nothing for lines that are no measurement; numbers that are not finite stay.
    """
    if kind not in KINDS:
        return {}
    found: dict[str, float] = {}
    for name, value in values.items():
        if name in WHERE:
            continue
        if isinstance(value, Mapping):
            found |= {f"{name}/{inner}": one for inner, one in value.items() if _is_number(one)}
        elif _is_number(value):
            found[f"{GROUPS.get(name, kind)}/{name}"] = float(value)
    return found


def results(metrics: Mapping[str, Any], split: str) -> dict[str, float]:
    """The evaluator's figures, `test/auc`; those that are not known are left out."""
    return {
        f"{split}/{name}": float(value)
        for name, value in metrics.items()
        if _is_number(value) and math.isfinite(value)
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
