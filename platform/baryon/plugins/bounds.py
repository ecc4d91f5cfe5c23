"""Bounds of whole numbers that the libraries below take: 64 bits with a sign, and seeds from 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from baryon.errors import BaryonError

LARGEST = 2**63 - 1


def check_seed(key: str, seed: int) -> None:
    """Raise `BaryonError` for a seed that NumPy's or PyTorch's generators do not take."""
    if not 0 <= seed <= LARGEST:
        raise BaryonError(f"{key}={seed} must be a whole number from 0 to {LARGEST}")


def check_size(owner: str, values: Any) -> None:
    """Raise `BaryonError` for a whole number, at any depth of `values`, of more than 64 bits.

    NumPy, PyTorch and the system raise OverflowError or ValueError for one, which names no option.
    """
    if isinstance(values, Mapping):
        for key, value in values.items():
            check_size(f"{owner}.{key}", value)
    elif isinstance(values, list | tuple):
        for value in values:
            check_size(owner, value)
    elif isinstance(values, int) and abs(values) > LARGEST:
        raise BaryonError(f"{owner}={values} must be a whole number of at most {LARGEST}")
