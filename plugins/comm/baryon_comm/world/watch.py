"""A watch over the start of MPI, which waits for every rank without a deadline of its own.

MPI's initialisation keeps Python from running anything else in its process. So a process of its own
says what is wrong and ends the other ranks; then a thread of the interpreter's own, not Python's,
ends this one with exit code 1, for a launcher that tolerates deaths ignores ranks that are killed.
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

from baryon.launched import end_siblings, launched, wait_for_turn

SECONDS_TO_SAY_SO = 5.0


@contextmanager
def watched(seconds: float) -> Iterator[None]:
    """Ends all ranks on this host, with a line that says why, if the block takes longer."""
    if launched().ranks == 1:
        yield
        return
    command = [sys.executable, "-m", __name__, str(seconds)]
    watch = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603
    with Path(os.devnull).open("w") as nowhere:
        faulthandler.dump_traceback_later(seconds + SECONDS_TO_SAY_SO, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            watch.communicate()


def main(seconds: float) -> None:
    """Wait for the end of the block, or of the rank: either closes the standard input."""
    if _over(seconds):
        return
    wait_for_turn()
    if _over(0.0):
        return
    print(  # noqa: T201
        f"baryon: error: MPI has not connected all {launched().ranks} processes after "
        f"{seconds:.0f} s: one has died, hangs or never started; see that all can start, then "
        "start the run again (comm.deadline_s is a tenth of this deadline)",
        file=sys.stderr,
        flush=True,
    )
    end_siblings(of=os.getppid())


def _over(seconds: float) -> bool:
    """Whether it is by then."""
    return bool(select.select([sys.stdin], [], [], seconds)[0])


if __name__ == "__main__":
    main(float(sys.argv[1]))
