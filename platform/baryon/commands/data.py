"""`baryon data <action>`: make data, look at it, write it anew."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from baryon.commands.arguments import HELP_FLAGS
from baryon.errors import BaryonError, did_you_mean
from baryon.terminal.console import say

ACTIONS = {
    "generate": "make data in a dataset's own format",
    "check": "say how fast a dataset is read, what is wrong with it, and if training would refuse",
    "show": "say which samples a step of a run took",
    "repack": "write HDF5 files anew in a layout that is read fast",
}


def run(arguments: Sequence[str]) -> int:
    """Hand the rest to the action's module. Raises `BaryonError` for one that does not exist."""
    if not arguments or arguments[0] in HELP_FLAGS:
        say(_usage())
        return 0 if arguments else 2
    action, *rest = arguments
    if action not in ACTIONS:
        raise BaryonError(f"baryon data has no {action!r}; {did_you_mean(ACTIONS, action)}")
    return int(importlib.import_module(f"baryon.commands.data_{action}").run(rest))


def _usage() -> str:
    lines = [f"  {action:<10}{meaning}" for action, meaning in ACTIONS.items()]
    return "\n".join(
        [
            "usage: baryon data <action> [key=value ...]",
            "",
            *lines,
            "",
            "`baryon data <action> --help` says more about each.",
        ]
    )
