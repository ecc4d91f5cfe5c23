"""What a launcher (mpiexec, srun) says of this process, known before and without MPI."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Launched:
    """This process among those started together."""

    rank: int
    ranks: int
    by: str
    on_host: int = 0
    """Its number among those on its own host."""


_ALONE = Launched(0, 1, "nothing")

SRUN = "srun"
_LAUNCHERS = (
    ("Open MPI's mpiexec", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("an mpiexec of the MPICH family", "PMI_RANK", "PMI_SIZE"),
    (SRUN, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),  # the second is missing in a batch script
)
_ON_HOST = ("OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID")


def launched(environment: Mapping[str, str] = os.environ) -> Launched:
    """Rank and number of ranks as the launcher tells them; a world of one without a launcher."""
    for by, rank, ranks in _LAUNCHERS:
        if rank in environment and ranks in environment:
            on_host = next((int(environment[key]) for key in _ON_HOST if key in environment), 0)
            return Launched(int(environment[rank]), int(environment[ranks]), by, on_host)
    return _ALONE


SECONDS_FOR_RANK_0 = 2.0  # on a busy host it comes so much later
SECONDS_TO_CANCEL = 10.0


def wait_for_turn() -> None:
    """Before an error is said that all ranks may have: the first to say it ends the others."""
    rank = launched().rank
    if rank:
        time.sleep(SECONDS_FOR_RANK_0 + 0.1 * (rank % 10))


def end_siblings(of: int | None = None) -> None:
    """End the other ranks that the launcher started, before they know each other.

    `of` is the process of one of them; this one unless given.

    They would wait for it, or say the same again. mpiexec ends those on other hosts by
    itself; Slurm does so only if its administrator chose it.
    """
    if launched().ranks == 1:
        return
    if launched().by == SRUN:
        _cancel_step()
    for process in _siblings(of or os.getpid()):
        with suppress(ProcessLookupError, PermissionError):  # it has gone, or is not ours
            os.kill(process, signal.SIGKILL)


def _cancel_step() -> None:
    scancel = shutil.which("scancel")
    if scancel is None:
        return
    step = f"{os.environ['SLURM_JOB_ID']}.{os.environ['SLURM_STEP_ID']}"
    with suppress(subprocess.TimeoutExpired):
        subprocess.run([scancel, "--signal=KILL", step], check=False, timeout=SECONDS_TO_CANCEL)  # noqa: S603


def _siblings(of: int) -> list[int]:
    """Processes of the same parent that a launcher has given a rank."""
    parent = _parent(of)
    mark = next(ranks for _, rank, ranks in _LAUNCHERS if rank in os.environ).encode() + b"="
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        number = int(folder.name)
        with suppress(OSError, ValueError):
            is_rank = mark in (folder / "environ").read_bytes()
            if is_rank and number != of and _parent(number) == parent:
                found.append(number)
    return found


def _parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
