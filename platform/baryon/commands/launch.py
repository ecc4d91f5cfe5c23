"""`baryon launch ranks=N <command> ...`: start a command as N processes on this machine."""

from __future__ import annotations

from collections.abc import Sequence

from baryon.commands.arguments import HELP_FLAGS
from baryon.errors import BaryonError
from baryon.launch.child_python import child_python
from baryon.launch.mpiexec import follow, launch_command, launch_environment
from baryon.terminal.console import say

USAGE = """\
usage: baryon launch ranks=<N> <command> [key=value ...]

Start a command as N processes on this machine, with the mpiexec that suits it. Ctrl-C stops a
training with a checkpoint. On a cluster use the site's own: `mpiexec -n 64 baryon train ...` or
`srun baryon train ...`.

  baryon launch ranks=2 train experiment=hep_demo comm=sync
  baryon launch ranks=6 train experiment=hep_demo comm=hybrid comm.groups=2 comm.servers=2
"""


def run(arguments: Sequence[str]) -> int:
    """Run mpiexec and give its exit code. Raises `BaryonError` if there is none."""
    if not arguments or any(argument in HELP_FLAGS for argument in arguments[:1]):
        say(USAGE)
        return 0 if arguments else 2
    ranks, command_name = _ranks(arguments[0]), list(arguments[1:])
    if not command_name:
        raise BaryonError("launch needs a command: baryon launch ranks=2 train ...")
    command = launch_command(ranks, child_python("-m", "baryon", *command_name))
    return follow(command, launch_environment(ranks))


def _ranks(argument: str) -> int:
    key, _, value = argument.partition("=")
    if key != "ranks" or not value.isdecimal() or int(value) < 1:
        raise BaryonError(f"launch starts with ranks=<N>, not {argument!r}: ranks=4")
    return int(value)
