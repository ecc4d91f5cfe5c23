"""Stop a run after the step it is in when Ctrl-C, SIGTERM or SIGUSR1 asks for it.

SIGUSR1 is what launchers hand on, and what a batch job is sent ahead of its time limit on request.
Within a job of Slurm, PBS or LSF a run that SIGTERM or SIGUSR1 stopped exits with `REQUEUE`: the
job's script can tell it from an end and from an error, and requeues itself (docs/train.md).

This holds once a run has a folder. Until then `baryon.system.signals` ends the process at once.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from baryon.system.signals import TRY_AGAIN, stops_batch_job

if TYPE_CHECKING:
    from baryon.interfaces import Communicator

REQUEUE = TRY_AGAIN
"""Exit code of a run in a batch job that one of the batch system's signals stopped."""
STOPPED = (REQUEUE, 128 + signal.SIGUSR1, -signal.SIGUSR1)
"""Exit codes of a process that SIGUSR1 stopped; the last one is that of a process that the signal
killed before it could catch it, as `subprocess` tells it."""
ASKED_TO_STOP = 85
"""Exit code of a run whose observer stopped it; no shell, signal or sysexits.h uses this one."""


class StopRequest:
    """Whether a run is to stop, and why.

    Attributes
    ----------
    signal : the last signal that came
    asked : whether the observer of the run's validations asked for it

    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.asked = False

    def __bool__(self) -> bool:
        return self.asked or self.signal is not None

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal; a second one that is Ctrl-C ends the process at once."""
        del frame
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)

    @property
    def exit_code(self) -> int:
        """128 plus the signal's number, as shells count; `REQUEUE` where a batch system sent it."""
        if self.signal is not None:
            return REQUEUE if stops_batch_job(self.signal) else 128 + int(self.signal)
        return ASKED_TO_STOP if self.asked else 0

    def __str__(self) -> str:
        """Name what asked, as far as this rank knows."""
        if self.signal is not None:
            return self.signal.name
        return "its sweep" if self.asked else "another rank"


def exit_code_of_all(comm: Communicator, code: int) -> int:
    """Return the exit code of the ranks that a signal reached, on all others as well. Collective.

    `code` is this rank's, 0 if no signal reached it. Launchers report whichever rank ends first.
    """
    sums = comm.all_reduce_sum({"codes": code, "ranks": float(code > 0)})
    return int(sums["codes"] / sums["ranks"])


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Catch the signals while the block runs, and note them in a `StopRequest`.

    In a thread of a program that is not its main one, where Python allows no signal handlers, none
    are caught.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    caught = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    previous = {number: signal.signal(number, request.handle) for number in caught}
    try:
        yield request
    finally:
        # A notebook or another program goes on after the run, with the handlers that it had.
        for number, handler in previous.items():
            signal.signal(number, handler)
