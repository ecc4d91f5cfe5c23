"""Baryon: a plugin host for scientific machine learning.

A run is five choices, each a plugin's component picked by name:
dataset -> model -> loss -> communicator -> evaluator.
This module imports nothing heavy, so that a plugin may import it at discovery. From a notebook or a
program it offers what the command line does (`baryon.api`): each name is imported when it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from baryon.api import Run, RunList, compose, list_runs, sweep, train
    from baryon.errors import BaryonError

__version__ = "0.1.0"

hookimpl = pluggy.HookimplMarker("baryon")
"""Marks a function as a plugin's answer to a hook of `baryon.plugins.hookspecs`."""

LAZY = {
    "BaryonError": "baryon.errors",
    "Run": "baryon.api",
    "RunList": "baryon.api",
    "compose": "baryon.api",
    "list_runs": "baryon.api",
    "sweep": "baryon.api",
    "train": "baryon.api",
}
"""Public names -> the module that has them."""

__all__ = [
    "BaryonError",
    "Run",
    "RunList",
    "__version__",
    "compose",
    "hookimpl",
    "list_runs",
    "sweep",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(LAZY[name]), name)


def __dir__() -> list[str]:
    """List the public names for completion."""
    return sorted({*globals(), *LAZY})
