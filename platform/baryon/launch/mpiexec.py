"""Start a command as several processes of this machine: which mpiexec, with which environment."""

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

# Open MPI from PyPI, on one machine that may have fewer cores than ranks; measured in
# docs/communicators.md. A site's MPI knows its machine: nothing is set for it.
FOR_OUR_OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    # Ranks of one machine need no TCP, whose sockets would listen on every interface.
    "OMPI_MCA_btl": "self,sm",
    "OMPI_MCA_mpi_yield_when_idle": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "PRTE_MCA_hwloc_default_binding_policy": "none",
}
KEEP_SURVIVORS = ("--with-ft", "ulfm")


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
