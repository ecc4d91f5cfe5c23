"""End the ranks of a job together when one of them fails before they are connected."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from baryon.launch.environment import LAUNCHERS, SRUN, cluster_environment

SECONDS_FOR_RANK_0 = 2.0  # on a busy host it comes so much later
SECONDS_TO_CANCEL = 10.0


def wait_for_turn() -> None:
    """Before an error is said that all ranks may have: the first to say it ends the others."""
    rank = cluster_environment().rank
    if rank:
        time.sleep(SECONDS_FOR_RANK_0 + 0.1 * (rank % 10))


def end_siblings(of: int | None = None) -> None:
    """End the other ranks that the launcher started, before they know each other.

    `of` is the process of one of them; this one unless given.

    They would wait for it, or say the same again. mpiexec ends those on other hosts by
    itself; Slurm does so only if its administrator chose it.
    """
    if cluster_environment().ranks == 1:
        return
    if cluster_environment().by == SRUN:
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
    mark = next(ranks for _, rank, ranks in LAUNCHERS if rank in os.environ).encode() + b"="
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
