"""Start a command as several processes on this machine."""

from __future__ import annotations

from baryon.commands.arguments import Arguments
from baryon.errors import BaryonError
from baryon.launch.child_python import child_python
from baryon.launch.environment import allocated_hosts, batch_job
from baryon.launch.mpiexec import follow, launch_command, launch_environment
from baryon.terminal.console import warn


def run(arguments: Arguments) -> int:
    """Run mpiexec and return its exit code. Raises `BaryonError` if there is no mpiexec."""
    if not arguments.rest:
        raise BaryonError("launch needs a command: baryon launch ranks=2 train ...")
    command = child_python("-m", "baryon", *arguments.rest)
    ranks = arguments["ranks"]
    hosts = allocated_hosts()
    if len(hosts) > 1:
        warn(
            f"this {batch_job()} has {len(hosts)} hosts ({', '.join(hosts[:4])}"
            f"{', ...' if len(hosts) > 4 else ''}), but `baryon launch` starts processes on this "
            f"one alone: `mpiexec -n {ranks} baryon ...` of the site's MPI takes all of them"
        )
    return follow(launch_command(ranks, command), launch_environment(ranks))
