"""Signals end what a command does as Ctrl-C would, so that nothing half done is left."""

import os
import signal
import time

import pytest

from baryon.system.signals import CAUGHT, Terminated, raise_on_termination


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_work_is_tidied_up_before_a_signal_ends_it(number):
    assert number in CAUGHT
    tidied = []

    def work():
        try:
            os.kill(os.getpid(), number)
            time.sleep(10)  # until the signal is delivered
        finally:
            tidied.append(number)

    with pytest.raises(Terminated, match=number.name), raise_on_termination():
        work()
    assert tidied == [number]
    assert signal.getsignal(number) is signal.SIG_DFL
