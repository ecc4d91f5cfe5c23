"""End the ranks of a job together when one of them fails, with one line that says why.

Before MPI has connected the ranks, nobody else ends them: a launcher that keeps survivors alive
would leave them waiting for the one that failed, and others would let each say the same line.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from baryon.launch.environment import LAUNCHERS, SRUN, cluster_environment

SECONDS_TO_CANCEL = 10.0
MAX_WAITING = 4096
"""Ranks of one host that may wait for the one that speaks."""


class _Claim:
    """The socket by which this process has claimed the error line of its job, if it has."""

    descriptor: int | None = None


def claim_error_line(of: int | None = None) -> bool:
    """Return whether this process is the one of its job on this host that says an error.

    The first that asks is: it says its line at once and ends the others with `end_siblings`. The
    others wait until it has ended, so that none of them makes the launcher end it before it has
    spoken; they say nothing. `of` is the process of the rank that failed; this one unless given.
    """
    if cluster_environment().ranks == 1 or _Claim.descriptor is not None:
        return True
    # A name in Linux's abstract namespace: binding it is atomic, no file of it is left behind, and
    # the kernel gives it back however its holder dies.
    name = f"\0baryon-error-line-{os.getuid()}-{_job_digest(of or os.getpid())}"
    claim = _bound(name)
    if claim is None:
        _wait_for_holder(name)
        return False
    claim.listen(MAX_WAITING)
    _Claim.descriptor = claim.detach()  # open as long as this process lives
    return True


def _bound(name: str) -> socket.socket | None:
    """Return a socket of this name; None if another process has one."""
    candidate = socket.socket(socket.AF_UNIX)
    try:
        candidate.bind(name)
    except OSError as error:
        candidate.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    return candidate


def _wait_for_holder(name: str) -> None:
    """Wait until the process that holds the name has ended; it accepts no connection."""
    while True:
        with socket.socket(socket.AF_UNIX) as rank:
            try:
                rank.connect(name)
            except ConnectionRefusedError:  # it has ended, or does not listen yet
                free = _bound(name)
                if free is not None:
                    free.close()
                    return
                continue
            with suppress(ConnectionResetError):
                rank.recv(1)
            return


def _job_digest(rank: int) -> str:
    """Return a text that the ranks of a job on one host have in common, and no other process."""
    name = os.environ.get("PMIX_NAMESPACE") or f"parent {_parent(rank)}"
    if cluster_environment().by == SRUN:
        name = f"Slurm {os.environ['SLURM_JOB_ID']}.{os.environ['SLURM_STEP_ID']}"
    return hashlib.sha256(name.encode()).hexdigest()[:16]  # a socket's name has at most 108 bytes


def end_siblings(of: int | None = None) -> None:
    """Kill the other ranks of this host that the launcher started.

    `of` is the process of the rank that failed; this one unless given. mpiexec ends the ranks of
    other hosts by itself. Slurm leaves them alone unless its administrator chose `KillOnBadExit`,
    so under srun the whole step is cancelled.
    """
    if cluster_environment().ranks == 1:
        return
    if cluster_environment().by == SRUN:
        _cancel_step()
    for process in _siblings(of or os.getpid()):
        with suppress(ProcessLookupError, PermissionError):  # it has ended, or is not ours
            os.kill(process, signal.SIGKILL)


def _cancel_step() -> None:
    scancel = shutil.which("scancel")
    if scancel is None:
        return
    step = f"{os.environ['SLURM_JOB_ID']}.{os.environ['SLURM_STEP_ID']}"
    with suppress(subprocess.TimeoutExpired):
        subprocess.run([scancel, "--signal=KILL", step], check=False, timeout=SECONDS_TO_CANCEL)  # noqa: S603


def _siblings(rank: int) -> list[int]:
    """Return the processes of the same parent that a launcher has given a rank."""
    parent = _parent(rank)
    mark = next(ranks for _, rank_key, ranks in LAUNCHERS if rank_key in os.environ).encode() + b"="
    siblings = []
    for folder in Path("/proc").glob("[0-9]*"):
        process = int(folder.name)
        with suppress(OSError, ValueError):  # it has ended, or is not ours
            is_rank = mark in (folder / "environ").read_bytes()
            if is_rank and process != rank and _parent(process) == parent:
                siblings.append(process)
    return siblings


def _parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
