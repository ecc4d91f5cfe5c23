"""`baryon launch ranks=N <verb> ...`: start a verb as N processes on this machine."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from baryon.cli import HELP_FLAGS
from baryon.errors import BaryonError
from baryon.reporting.console import say

USAGE = """\
usage: baryon launch ranks=<N> <verb> [key=value ...]

Start a verb as N processes on this machine, with the mpiexec that suits it. On a cluster use the
site's own: `mpiexec -n 64 baryon train ...` or `srun baryon train ...`.

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
    """Become mpiexec. Raises `BaryonError` if there is none."""
    if not arguments or any(argument in HELP_FLAGS for argument in arguments[:1]):
        say(USAGE)
        return 0 if arguments else 2
    ranks, verb = _ranks(arguments[0]), list(arguments[1:])
    if not verb:
        raise BaryonError("launch needs a verb: baryon launch ranks=2 train ...")
    mpiexec, ours = find_mpiexec()
    tolerance = KEEP_SURVIVORS if ours else ()
    command = [str(mpiexec), *tolerance, "-n", str(ranks), sys.executable, "-m", "baryon", *verb]
    sys.stdout.flush()
    os.execve(command[0], command, environment(ranks, ours=ours))  # noqa: S606  no shell


def environment(ranks: int, *, ours: bool) -> dict[str, str]:
    """The processes' environment: the cores shared out among them; what is set already stays."""
    threads = str(max(1, len(os.sched_getaffinity(0)) // ranks))
    return {"OMP_NUM_THREADS": threads, **(FOR_OUR_OPEN_MPI if ours else {}), **os.environ}


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
    if key != "ranks" or not value.isdigit() or int(value) < 1:
        raise BaryonError(f"launch starts with ranks=<N>, not {argument!r}: ranks=4")
    return int(value)
