"""Nested configs as dotted keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOT_SHOWN = ("run.",)
"""Where results are written differs between any two runs."""


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted names."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        nested = isinstance(value, Mapping)
        found |= flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return found
