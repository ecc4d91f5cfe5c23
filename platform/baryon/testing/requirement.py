"""Fail a check with the reason, as an assertion does that Python cannot leave out."""

from __future__ import annotations


def require(holds: object, fault: str) -> None:
    """Raise `AssertionError` with the fault unless something holds."""
    if not holds:
        raise AssertionError(fault)
