"""Who waits for the courier, and how long."""

import time
from contextlib import closing

import pytest

from baryon_comm.world.courier import Courier, LateError, Patience
from baryon_comm.world.rest import EAGER


def taking(seconds: float):
    """A task that yields for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield
    return "done"


@pytest.fixture
def courier():
    with closing(Courier(lambda: None, EAGER)) as courier:
        yield courier


def test_a_deadline_grows_with_what_is_normal():
    patience = Patience(60.0, first=10.0)
    assert patience.limit() == 600.0
    patience.note(1.0)
    assert patience.limit() == 60.0
    patience.note(30.0)
    patience.note(2.0)
    assert patience.limit() == 600.0


def test_a_wait_beyond_its_deadline_is_an_error(courier):
    with pytest.raises(LateError, match="counting has not ended after 0 s"):
        courier.do(taking(0.5), "counting", Patience(0.05))


def test_who_is_asked_may_grant_more_time(courier):
    asked = []

    def on_late(ticket):
        asked.append(ticket.what)
        ticket.granted += ticket.patience.limit()

    courier.on_late = on_late
    patience = Patience(0.1)
    assert courier.do(taking(0.35), "counting", patience) == "done"
    assert asked == ["counting"] * 3
    assert patience.limit() > 20 * 0.3
