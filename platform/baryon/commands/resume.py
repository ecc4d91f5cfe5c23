"""`baryon resume run=<dir>`: go on with a run that was stopped or killed."""

from __future__ import annotations

from collections.abc import Sequence

from baryon.commands.arguments import HELP_FLAGS, split_arguments
from baryon.config import config as configs
from baryon.errors import BaryonError
from baryon.plugins.registry import discover
from baryon.runs import directory as run_directory
from baryon.terminal.console import say

USAGE = """\
usage: baryon resume run=<dir> [comm=<name>] [comm.key=value] [data.processes=<N>]
                     [data.stage=<dir>] [tracking.mlflow=<address>] [versions=any]

Go on with an unfinished run from its last checkpoint, at the very sample where it stood, with
its own config. Only who learns together may change (another communicator, another number of ranks),
and who reads: data.processes, data.threads. Where data is staged and which server is told of it is
nothing that a run's folder decides: data.stage and tracking.mlflow are given once more.
A checkpoint of other versions of Baryon or a plugin is refused; versions=any goes on all the same.

  baryon resume run=runs/latest
  baryon resume run=runs/latest comm=serial
  mpiexec -n 4 baryon resume run=runs/latest comm=sync
"""

MAY_CHANGE = (
    "comm=", "comm.", "data.processes=", "data.threads=", "data.stage=", "data.stage_mib=",
    "tracking.",
)  # fmt: skip
"""Beginnings of overrides that leave each step its samples."""


def run(arguments: Sequence[str]) -> int:
    """Train to the end; a finished run is left alone."""
    if not arguments or any(argument in HELP_FLAGS for argument in arguments):
        say(USAGE)
        return 0 if arguments else 2
    own, overrides = split_arguments(arguments, required=("run",), optional=("versions",))
    for override in overrides:
        if not override.startswith(MAY_CHANGE):
            raise BaryonError(
                f"resume takes the run's own config, not {override!r}; only comm, tracking, "
                "data.processes, data.threads and data.stage may change"
            )
    directory = run_directory.find(own["run"])
    directory.require_unfinished()
    any_version = own.get("versions") == "any"
    if "versions" in own and not any_version:
        raise BaryonError(f"versions={own['versions']} is not known; choose from: any")
    plugins = discover()
    plugins.check()
    config = configs.read(directory.config, overrides, plugins)

    from baryon.training import run as training_run

    training_run.resume(directory, config, plugins, any_version=any_version)
    return 0
