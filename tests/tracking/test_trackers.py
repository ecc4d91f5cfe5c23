"""Trackers get what the log gets; whatever they do, training goes on."""

import pytest
from tensorboard_reader import LINE, events

from baryon.tracking import trackers as trackers_module
from baryon.tracking.trackers import Trackers


def test_trackers_get_lines_and_the_answer(run, tracking):
    trackers = Trackers(tracking(tensorboard=True), run)
    assert not run.tensorboard.exists()  # only the rank that logs opens them
    trackers.log("execution", {"step": 0})
    trackers.log("train", LINE)
    trackers.answer({"auc": 0.9}, "test")
    trackers.close()
    scalars = events(run.tensorboard)
    assert scalars["train/loss"] == [(10, 0.5)]
    assert scalars["test/auc"] == [(10, pytest.approx(0.9))]


def test_a_tracker_that_fails_is_told_once_and_the_others_go_on(run, tracking, monkeypatch, capsys):
    calls = []

    class Broken:
        def scalars(self, step, values):
            calls.append(step)
            raise RuntimeError("the server\nis on fire")

        def close(self, *, finished):
            calls.append("close")

    monkeypatch.setitem(trackers_module.TRACKERS, "mlflow", ("MLflow", lambda *_: Broken()))
    trackers = Trackers(tracking(tensorboard=True, mlflow="http://x"), run)
    for step in (1, 2, 3):
        trackers.log("train", LINE | {"step": step})
    trackers.close()
    assert calls == [1]
    (line,) = capsys.readouterr().out.splitlines()
    assert line == (
        "warning: stopped logging to MLflow, training continues: RuntimeError: the server is on "
        "fire"
    )
    assert len(events(run.tensorboard)["train/loss"]) == 3


def test_a_place_that_cannot_be_written_stops_nothing(run, tracking, capsys):
    run.tensorboard.write_text("a file is here")
    trackers = Trackers(tracking(tensorboard=True), run)
    for step in (1, 2):
        trackers.log("train", LINE | {"step": step})
    trackers.close()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("warning: stopped logging to TensorBoard, training continues: FileExis")
