"""SIGTERM and SIGHUP undo what is half done, as Ctrl-C does, before they end the process."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

CAUGHT = signal.SIGTERM, signal.SIGHUP


class Terminated(BaseException):
    """A signal asked the process to end; like `KeyboardInterrupt` no error that anyone mends."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.number = number

    def end(self) -> None:
        """End the process as the signal would have done, so that launchers know how it ended."""
        signal.signal(self.number, signal.SIG_DFL)
        os.kill(os.getpid(), self.number)


@contextmanager
def unwinding() -> Iterator[None]:
    """Raise `Terminated` in the block for signals that nobody handles or ignores."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught = [number for number in CAUGHT if signal.getsignal(number) is signal.SIG_DFL]
    for number in caught:
        signal.signal(number, _raise)
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, signal.SIG_DFL)


def _raise(number: int, frame: FrameType | None) -> None:
    del frame
    signal.signal(number, signal.SIG_IGN)  # a second one does not break off the tidying
    raise Terminated(signal.Signals(number))
