"""Start a command as several processes on this machine."""

from __future__ import annotations

from baryon.commands.arguments import Arguments
from baryon.errors import BaryonError
from baryon.launch.child_python import child_python
from baryon.launch.mpiexec import follow, launch_command, launch_environment


def run(arguments: Arguments) -> int:
    """Run mpiexec and return its exit code. Raises `BaryonError` if there is no mpiexec."""
    if not arguments.rest:
        raise BaryonError("launch needs a command: baryon launch ranks=2 train ...")
    command = child_python("-m", "baryon", *arguments.rest)
    ranks = arguments["ranks"]
    return follow(launch_command(ranks, command), launch_environment(ranks))
