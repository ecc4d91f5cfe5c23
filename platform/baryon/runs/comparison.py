"""What differs between runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baryon.config.flatten import NOT_SHOWN, flat
from baryon.runs.record import RunRecord


def differing(runs: Sequence[RunRecord]) -> dict[str, list[Any]]:
    """The config keys in which the runs differ, with the value in each; "-" where it is absent."""
    configs = [flat(run.config) for run in runs]
    keys = dict.fromkeys(key for config in configs for key in config)
    found = {key: [config.get(key, "-") for config in configs] for key in keys}
    return {
        key: values
        for key, values in found.items()
        if not key.startswith(NOT_SHOWN) and any(value != values[0] for value in values)
    }
