"""The progress engine: deadlines, and who waits for how long."""

import time
from contextlib import closing

import pytest

from baryon_comm.mpi.backoff import EAGER
from baryon_comm.mpi.progress_engine import AdaptiveTimeout, DeadlineError, ProgressEngine


def taking(seconds: float):
    """A task that yields for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield
    return "done"


@pytest.fixture
def engine():
    with closing(ProgressEngine(lambda: None, EAGER)) as engine:
        yield engine


def test_a_deadline_grows_with_what_is_normal():
    timeout = AdaptiveTimeout(60.0, first=10.0)
    assert timeout.limit() == 600.0
    timeout.record(1.0)
    assert timeout.limit() == 60.0
    timeout.record(30.0)
    timeout.record(2.0)
    assert timeout.limit() == 600.0


def test_a_wait_beyond_its_deadline_is_an_error(engine):
    with pytest.raises(DeadlineError, match="counting has not ended after 0 s"):
        engine.run(taking(0.5), "counting", AdaptiveTimeout(0.05))


def test_on_deadline_may_grant_more_time():
    asked = []

    def on_deadline(work):
        asked.append(work.what)
        work.extra_s += work.timeout.limit()

    timeout = AdaptiveTimeout(0.1)
    with closing(ProgressEngine(lambda: None, EAGER, on_deadline)) as engine:
        assert engine.run(taking(0.35), "counting", timeout) == "done"
    assert asked == ["counting"] * 3
    assert timeout.limit() > 20 * 0.3
