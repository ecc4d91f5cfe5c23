"""Keys that a command line alone can set, never the file of a run.

The run may be somebody else's, and these keys write outside its folder, or reach a server with the
reader's credentials.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from baryon.config.config import Config

COMMAND_LINE_KEYS = ("data.stage", "tracking.mlflow", "tracking.wandb", "tracking.trackio")


def asked_for(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of `COMMAND_LINE_KEYS` that a config sets, from its plain values."""
    keys = {key: key.partition(".") for key in COMMAND_LINE_KEYS}
    wanted = {key: values.get(group, {}).get(name) for key, (group, _, name) in keys.items()}
    return {key: value for key, value in wanted.items() if value is not None}


def obeying(config: Config, asked: Mapping[str, Any]) -> Config:
    """Return the config with these values of `COMMAND_LINE_KEYS`; what is written down stays."""
    changes: dict[str, dict[str, Any]] = {}
    for key in COMMAND_LINE_KEYS:
        section, _, name = key.partition(".")
        changes.setdefault(section, {})[name] = asked.get(key)
    sections: Any = {
        section: replace(getattr(config, section), **values) for section, values in changes.items()
    }
    return replace(config, **sections)
