"""Ctrl-C, SIGTERM and SIGUSR1 ask a run to stop after the step it is in.

SIGUSR1 is what launchers hand on, and what Slurm sends ahead of the time limit on request. Within a
Slurm job a run that SIGTERM or SIGUSR1 stopped exits with `REQUEUE`: the job's script can tell it
from an end and from an error, and requeues itself (docs/train.md).

They do so once a run has a folder: until then `baryon.system.signals` ends the process at once.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from baryon.system.signals import TRY_AGAIN, is_slurms

REQUEUE = TRY_AGAIN
STOPPED = (REQUEUE, 128 + signal.SIGUSR1, -signal.SIGUSR1)
"""How a process ends that SIGUSR1 has stopped, the last one before it could catch it."""
ASKED_TO_STOP = 85
"""Who observes the run found that it need not go on; no code of a shell, a signal or sysexits.h."""


class StopRequest:
    """Whether to stop, and because of which signal, or `asked` by who observes the run."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.asked = False

    def __bool__(self) -> bool:
        return self.asked or self.signal is not None

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler; a second Ctrl-C ends the process at once."""
        del frame
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)

    @property
    def exit_code(self) -> int:
        """128 plus the signal's number, as shells count; `REQUEUE` for Slurm's within its jobs."""
        if self.signal is not None:
            return REQUEUE if is_slurms(self.signal) else 128 + int(self.signal)
        return ASKED_TO_STOP if self.asked else 0

    def __str__(self) -> str:
        """By what, as far as this rank knows."""
        if self.signal is not None:
            return self.signal.name
        return "its sweep" if self.asked else "another rank"


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Catch the signals while the block runs."""
    request = StopRequest()
    caught = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    previous = {number: signal.signal(number, request.handle) for number in caught}
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
