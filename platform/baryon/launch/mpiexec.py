"""Start a command as several ranks on this machine: find mpiexec, and set its environment."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from baryon.errors import BaryonError

# For Open MPI from PyPI, on one machine that may have fewer cores than ranks; measured in
# docs/communicators.md. A site's MPI knows its machine: nothing is set for it.
OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    # Ranks of one machine need no TCP, whose sockets would listen on every interface.
    "OMPI_MCA_btl": "self,sm",
    "OMPI_MCA_mpi_yield_when_idle": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "PRTE_MCA_hwloc_default_binding_policy": "none",
}
KEEP_SURVIVORS = ("--with-ft", "ulfm")  # else one rank that dies ends all


def launch_command(ranks: int, command: Sequence[str]) -> list[str]:
    """Return the command that starts `command` as so many ranks.

    Raises `BaryonError` if there is no mpiexec.
    """
    mpiexec, from_pypi = find_mpiexec()
    return [str(mpiexec), *(KEEP_SURVIVORS if from_pypi else ()), "-n", str(ranks), *command]


def launch_environment(ranks: int) -> dict[str, str]:
    """Return the environment of so many ranks, which share the cores; what is set already stays."""
    _, from_pypi = find_mpiexec()
    threads = str(max(1, len(os.sched_getaffinity(0)) // ranks))
    return {"OMP_NUM_THREADS": threads, **(OPEN_MPI if from_pypi else {}), **os.environ}


def follow(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a launcher to its end; a signal asks its ranks to stop, a second one ends it."""
    sys.stdout.flush()
    process = subprocess.Popen(command, env=environment, start_new_session=True)  # noqa: S603
    received: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        del frame
        # At SIGTERM mpiexec kills the ranks before they have saved anything; SIGUSR1 it hands on.
        process.send_signal(signal.SIGTERM if received else signal.SIGUSR1)
        received.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, pass_on)
    code = process.wait()
    return code if code >= 0 else 128 - code


def find_mpiexec() -> tuple[Path, bool]:
    """Return the path of mpiexec, and whether it is Open MPI from PyPI.

    That one lies beside this Python and is preferred to the site's on the PATH.
    Raises `BaryonError` if there is neither.
    """
    wheels = Path(sys.executable).parent / "mpiexec"
    if wheels.is_file():
        return wheels, (wheels.parent / "prterun").is_file()
    sites = shutil.which("mpiexec")
    if sites is None:
        raise BaryonError(
            "there is no mpiexec: load the site's MPI (module load ...) or install one with "
            "`pip install 'baryon[mpi]'`"
        )
    return Path(sites), False
