"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or slow, or worth knowing."""

    split: str
    text: str
    refused: bool = False
    """Training on such data would stop, or mean nothing."""
