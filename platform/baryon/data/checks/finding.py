"""What a check reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with data, or slow, or worth knowing."""

    split: str
    text: str
    refused: bool = False
    """Whether training on such data would stop, or mean nothing."""
