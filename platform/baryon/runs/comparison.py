"""Tell in which keys of their configs runs differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baryon.config.flatten import NOT_SHOWN, flat
from baryon.runs.record import RunRecord


def differing(runs: Sequence[RunRecord]) -> dict[str, list[Any]]:
    """Return the config keys in which runs differ.

    Returns
    -------
    dict of str to list
        Dotted key -> its value in each run, in their order; "-" where a config does not have it.

    """
    configs = [flat(run.config) for run in runs]
    keys = dict.fromkeys(key for config in configs for key in config)
    values_by_key = {key: [config.get(key, "-") for config in configs] for key in keys}
    return {
        key: values
        for key, values in values_by_key.items()
        if not key.startswith(NOT_SHOWN) and any(value != values[0] for value in values)
    }
