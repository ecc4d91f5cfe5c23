"""A deadline for the start of MPI, which itself waits for every rank for ever.

MPI_Init holds Python's global lock, so nothing else runs in its process. A process of its own
therefore reports the missing rank and ends the others on this host. This rank is ended by
faulthandler's timer, which needs no lock and gives exit code 1: a signal from outside would not
do, because a launcher that tolerates deaths counts a killed rank as no failure.
"""

from __future__ import annotations

import faulthandler
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from baryon.launch.environment import cluster_environment
from baryon.launch.failure import claim_error_line, end_siblings

SECONDS_TO_REPORT = 5.0


@contextmanager
def startup_watchdog(seconds: float) -> Iterator[None]:
    """End all ranks on this host, with one line that says why, if the block takes longer."""
    if cluster_environment().ranks == 1:
        yield
        return
    command = [sys.executable, "-m", __name__, str(seconds)]
    watchdog = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603
    with Path(os.devnull).open("w") as devnull:
        faulthandler.dump_traceback_later(seconds + SECONDS_TO_REPORT, exit=True, file=devnull)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            watchdog.communicate()


def main(seconds: float) -> None:
    """Wait for the end of the block, or of the rank: either closes the standard input."""
    if _is_over_within(seconds):
        return
    rank = os.getppid()
    if not claim_error_line(of=rank) or _is_over_within(0.0):
        return
    print(  # noqa: T201
        f"baryon: error: MPI has not connected all {cluster_environment().ranks} processes after "
        f"{seconds:.0f} s: one has died, hangs or never started; see that all can start, then "
        "start the run again (comm.deadline_s is a tenth of this deadline)",
        file=sys.stderr,
        flush=True,
    )
    end_siblings(of=rank)


def _is_over_within(seconds: float) -> bool:
    return bool(select.select([sys.stdin], [], [], seconds)[0])


if __name__ == "__main__":
    main(float(sys.argv[1]))
