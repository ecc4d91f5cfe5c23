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


@pytest.mark.parametrize(
    ("number", "interruption"),
    [(signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)],
)
def test_a_signal_that_arrives_in_a_finaliser_is_not_lost(number, interruption):
    class Held:
        def __del__(self):  # what it raises, Python prints and drops
            os.kill(os.getpid(), number)
            time.sleep(0)  # the handler runs here

    def work():
        held = Held()
        del held
        time.sleep(10)  # until the signal is delivered once more

    # Ctrl-C is ignored where a shell has started the tests in the background.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(interruption), raise_on_termination():
            work()
    finally:
        signal.signal(signal.SIGINT, before)
