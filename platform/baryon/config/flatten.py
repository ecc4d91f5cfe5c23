"""Flatten nested configs into dotted keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOT_SHOWN = ("run.",)
"""Where results are written differs between any two runs."""


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one, with dotted names: `{"a": {"b": 1}}` as `{"a.b": 1}`."""
    dotted: dict[str, Any] = {}
    for key, value in values.items():
        nested = isinstance(value, Mapping)
        dotted |= flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return dotted
