"""Let signals undo what is half done, as Ctrl-C does, before they end the process."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from baryon.launch.environment import batch_job

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

CAUGHT = signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1
"""SIGUSR1 is how batch jobs are warned of their time limit, and what `baryon launch` hands on."""
REDELIVERY_SECONDS = 0.01
"""How long after an interruption was swallowed its signal is sent again."""
TRY_AGAIN = os.EX_TEMPFAIL
"""75 of sysexits.h: how a batch job that a signal has stopped asks to be requeued."""


class Terminated(BaseException):
    """A signal asked the process to end; like `KeyboardInterrupt` not an `Exception`."""

    requeues = False
    """Whether the interrupted work continues when it is started again."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.number = number

    def end(self) -> int:
        """End the process as the signal would have done.

        In a batch job that is to be requeued, return the exit code that asks for it instead.
        """
        if self.requeues and stops_batch_job(self.number):
            return TRY_AGAIN
        # By the signal itself: launchers see how it ended, and an exit code would let MPI wait for
        # the other ranks when it ends.
        signal.signal(self.number, signal.SIG_DFL)
        os.kill(os.getpid(), self.number)
        return 128 + self.number


def stops_batch_job(number: int) -> bool:
    """Return whether this is a batch job and the signal one by which its batch system stops it."""
    return batch_job() is not None and number in (signal.SIGTERM, signal.SIGUSR1)


@contextmanager
def raise_on_termination(*, requeues: bool = False) -> Iterator[None]:
    """Raise `Terminated` in the block when one of the signals `CAUGHT` arrives.

    An exception that arises in a finaliser or in a callback of the garbage collector or of C code
    cannot leave it: Python prints and drops it. Such a signal, or Ctrl-C, is sent once more.

    Signals that are handled or ignored already stay so. With `requeues` the block trains, and
    continues when it is started again.
    """
    if threading.current_thread() is not threading.main_thread():  # others get no signals
        yield
        return
    caught = [number for number in CAUGHT if signal.getsignal(number) is signal.SIG_DFL]
    for number in caught:
        signal.signal(number, _raise)
    unraisable_hook = sys.unraisablehook
    sys.unraisablehook = _send_again(otherwise=unraisable_hook)
    try:
        yield
    except Terminated as error:
        error.requeues = requeues
        raise
    finally:
        sys.unraisablehook = unraisable_hook
        for number in caught:
            signal.signal(number, signal.SIG_DFL)


def _raise(number: int, frame: FrameType | None) -> None:
    del frame
    signal.signal(number, signal.SIG_IGN)  # a second one must not interrupt the clean-up
    raise Terminated(signal.Signals(number))


def _send_again(
    *, otherwise: Callable[[UnraisableHookArgs], object]
) -> Callable[[UnraisableHookArgs], object]:
    """Return a `sys.unraisablehook` that sends the signal of a swallowed interruption again."""

    def hook(unraisable: UnraisableHookArgs) -> None:
        error = unraisable.exc_value
        if isinstance(error, Terminated):
            number = error.number
            signal.signal(number, _raise)
        elif isinstance(error, KeyboardInterrupt):
            number = signal.SIGINT
        else:
            otherwise(unraisable)
            return
        # Not at once: raised within this hook it would be swallowed as well.
        main_thread = threading.main_thread().ident
        threading.Timer(REDELIVERY_SECONDS, signal.pthread_kill, (main_thread, number)).start()

    return hook
