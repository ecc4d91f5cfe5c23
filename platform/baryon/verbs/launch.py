"""`baryon launch ranks=N <verb> ...`: start a verb as N processes on this machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from baryon.child_python import child_python
from baryon.cli import HELP_FLAGS
from baryon.errors import BaryonError
from baryon.reporting.console import say

USAGE = """\
usage: baryon launch ranks=<N> <verb> [key=value ...]

Start a verb as N processes on this machine, with the mpiexec that suits it. Ctrl-C stops a training
with a checkpoint. On a cluster use the site's own: `mpiexec -n 64 baryon train ...` or
`srun baryon train ...`.

  baryon launch ranks=2 train experiment=hep_demo comm=sync
  baryon launch ranks=6 train experiment=hep_demo comm=hybrid comm.groups=2 comm.servers=2
"""

# Open MPI from PyPI, on one machine that may have fewer cores than ranks; measured in
# docs/communicators.md. A site's MPI knows its machine: nothing is set for it.
FOR_OUR_OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_btl": "self,sm,tcp",
    "OMPI_MCA_mpi_yield_when_idle": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "PRTE_MCA_hwloc_default_binding_policy": "none",
}
KEEP_SURVIVORS = ("--with-ft", "ulfm")


def run(arguments: Sequence[str]) -> int:
    """Run mpiexec and give its exit code. Raises `BaryonError` if there is none."""
    if not arguments or any(argument in HELP_FLAGS for argument in arguments[:1]):
        say(USAGE)
        return 0 if arguments else 2
    ranks, verb = _ranks(arguments[0]), list(arguments[1:])
    if not verb:
        raise BaryonError("launch needs a verb: baryon launch ranks=2 train ...")
    command = launch_command(ranks, child_python("-m", "baryon", *verb))
    return follow(command, launch_environment(ranks))


def launch_command(ranks: int, command: Sequence[str]) -> list[str]:
    """What starts `command` as so many processes. Raises `BaryonError` if there is no mpiexec."""
    mpiexec, ours = find_mpiexec()
    return [str(mpiexec), *(KEEP_SURVIVORS if ours else ()), "-n", str(ranks), *command]


def launch_environment(ranks: int) -> dict[str, str]:
    """The processes' environment: the cores shared out among them; what is set already stays."""
    _, ours = find_mpiexec()
    threads = str(max(1, len(os.sched_getaffinity(0)) // ranks))
    return {"OMP_NUM_THREADS": threads, **(FOR_OUR_OPEN_MPI if ours else {}), **os.environ}


def follow(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a launcher; the first signal asks its ranks to stop, the second ends it.

    mpiexec itself would kill the ranks before they have saved anything, but hands SIGUSR1 on.
    """
    sys.stdout.flush()
    process = subprocess.Popen(command, env=environment, start_new_session=True)  # noqa: S603
    asked: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        del frame
        process.send_signal(signal.SIGTERM if asked else signal.SIGUSR1)
        asked.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, pass_on)
    code = process.wait()
    return code if code >= 0 else 128 - code


def find_mpiexec() -> tuple[Path, bool]:
    """The mpiexec beside this Python, which is the PyPI wheel's; else the site's on the PATH.

    Raises `BaryonError` if there is neither.
    """
    beside = Path(sys.executable).parent / "mpiexec"
    if beside.is_file():
        return beside, (beside.parent / "prterun").is_file()
    found = shutil.which("mpiexec")
    if found is None:
        raise BaryonError(
            "there is no mpiexec: load the site's MPI (module load ...) or install one with "
            "`pip install 'baryon[mpi]'`"
        )
    return Path(found), False


def _ranks(argument: str) -> int:
    key, _, value = argument.partition("=")
    if key != "ranks" or not value.isdecimal() or int(value) < 1:
        raise BaryonError(f"launch starts with ranks=<N>, not {argument!r}: ranks=4")
    return int(value)
