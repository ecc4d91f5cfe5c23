"""A tracker that waits for a server does so in a thread; training never waits for it."""

import threading

import pytest

from baryon.errors import BaryonError
from baryon.tracking import background
from baryon.tracking.background import BackgroundTracker


class Recorder:
    """Notes what it is told, from the thread that tells it."""

    label = "Recorder at http://me:hunter2@host"

    def __init__(self):
        self.calls, self.open_now = [], threading.Event()
        self.open_now.set()

    def open(self):
        assert self.open_now.wait(30)
        self.calls.append("open")

    def log(self, step, values, seconds):
        assert seconds > 1e9
        self.calls.append((step, dict(values)))

    def end(self, *, finished):
        self.calls.append(f"end {finished}")


def test_lines_come_in_their_order_and_the_end_after_them():
    service = Recorder()
    tracker = BackgroundTracker(service)
    for step in range(3):
        tracker.scalars(step, {"a": float(step)})
    tracker.close(finished=True)
    assert service.calls == ["open", (0, {"a": 0.0}), (1, {"a": 1.0}), (2, {"a": 2.0}), "end True"]


def test_a_server_that_dies_in_the_middle_is_told_once(capsys):
    service = Recorder()
    died = threading.Event()

    def log(step, values, seconds):
        service.calls.append(step)
        if step == 1:
            died.set()
            raise ConnectionError("http://me:hunter2@host is\ngone")

    service.log = log
    tracker = BackgroundTracker(service)
    for step in range(2):
        tracker.scalars(step, {"a": 1.0})
    assert died.wait(30)
    for step in range(2, 100):
        tracker.scalars(step, {"a": 1.0})
    tracker.close(finished=True)
    assert service.calls == ["open", 0, 1]
    assert capsys.readouterr().out == (
        "warning: stopped logging to Recorder at http://host, training continues: "
        "ConnectionError: http://host is gone\n"
    )


def test_a_server_that_hangs_holds_up_neither_steps_nor_the_end(monkeypatch):
    monkeypatch.setattr(background, "SECONDS_TO_END", 0.1)
    monkeypatch.setattr(background, "MAX_QUEUED", 5)
    service = Recorder()
    service.open_now.clear()
    tracker = BackgroundTracker(service)
    for step in range(8):
        tracker.scalars(step, {"a": 1.0})
    with pytest.raises(BaryonError, match=r"8 lines did not reach Recorder at http://host$"):
        tracker.close(finished=False)
    service.open_now.set()
