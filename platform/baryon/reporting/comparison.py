"""What differs between runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from baryon.reporting.run_record import RunRecord

NOT_SHOWN = ("run.",)
"""Where results are written differs between any two runs."""


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted names."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        nested = isinstance(value, Mapping)
        found |= flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return found


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
