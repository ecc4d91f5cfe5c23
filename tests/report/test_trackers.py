"""Trackers get what the log gets; whatever they do, training goes on."""

import math
import socket
import time
from dataclasses import replace

import pytest

from baryon.config import config as configs
from baryon.runs.directory import RunDirectory
from baryon.tracking import trackers as trackers_module
from baryon.tracking.event_file import EventFile, crc32c
from baryon.tracking.scalars import results, scalars
from baryon.tracking.trackers import Trackers

LINE = {
    "step": 10, "epoch": 1, "seconds": 2.0, "loss": 0.5, "ce": 0.5, "samples_per_second": 640.0,
    "ms": {"forward": 3.0}, "comm": {"staleness": 1.5}, "why": "text",
}  # fmt: skip


@pytest.fixture
def run(tmp_path, write_run):
    return RunDirectory(write_run(tmp_path / "run", finished=False, log=[]))


@pytest.fixture
def tracking(run):
    """The config of a run that tracks as it is told here."""

    def section(**changes):
        values = {"tensorboard": False, "mlflow": None, "experiment": "tests"} | changes
        found = configs.read(run.config)
        return replace(found, tracking=replace(found.tracking, **values))

    return section


def events(folder):
    """As TensorBoard itself reads them, with what a later file makes anew left out."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    tags = found.Tags()["scalars"]
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in tags}


def test_a_line_of_the_log_as_numbers():
    assert scalars("train", LINE) == {
        "train/loss": 0.5, "train/ce": 0.5, "speed/samples_per_second": 640.0, "ms/forward": 3.0,
        "comm/staleness": 1.5,
    }  # fmt: skip
    assert scalars("validation", {"step": 1, "loss": 1.0}) == {"validation/loss": 1.0}
    assert scalars("meters", LINE) == {}
    assert results({"auc": 0.9, "gone": math.nan, "name": "x"}, "test") == {"test/auc": 0.9}


def test_the_checksum_is_castagnolis():
    assert crc32c(b"123456789") == 0xE3069283  # the check value of RFC 3720's CRC-32C
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4


def test_tensorboard_reads_what_was_written(tmp_path):
    file = EventFile(tmp_path, 1)
    file.scalars(1, {"a": 0.25, "größe": -3.5})
    file.scalars(2**40, {"a": math.inf, "b": 1e300})
    file.scalars(2**40 + 1, {"a": math.nan})
    found = events(tmp_path)  # while it is still open
    assert found["a"][:2] == [(1, 0.25), (2**40, math.inf)]
    assert math.isnan(found["a"][2][1])
    assert found["größe"] == [(1, -3.5)]
    assert found["b"] == [(2**40, math.inf)]  # beyond single precision
    file.close(finished=True)


def test_a_resumed_run_takes_the_place_of_the_steps_it_makes_again(tmp_path):
    first = EventFile(tmp_path, 1)
    for step in (1, 2, 3, 4):
        first.scalars(step, {"a": step})
    first.close(finished=False)
    time.sleep(0.01)  # the names sort by time
    second = EventFile(tmp_path, 3)
    for step in (3, 4, 5):
        second.scalars(step, {"a": 10 * step})
    second.close(finished=True)
    assert events(tmp_path)["a"] == [(1, 1), (2, 2), (3, 30), (4, 40), (5, 50)]


def test_trackers_get_lines_and_the_answer(run, tracking):
    trackers = Trackers(tracking(tensorboard=True), run)
    assert not run.tensorboard.exists()  # only the rank that logs opens them
    trackers.log("execution", {"step": 0})
    trackers.log("train", LINE)
    trackers.answer({"auc": 0.9}, "test")
    trackers.close()
    found = events(run.tensorboard)
    assert found["train/loss"] == [(10, 0.5)]
    assert found["test/auc"] == [(10, pytest.approx(0.9))]


def test_a_tracker_that_fails_is_told_once_and_the_others_go_on(run, tracking, monkeypatch, capsys):
    calls = []

    class Broken:
        def scalars(self, step, values):
            calls.append(step)
            raise RuntimeError("the server\nis on fire")

        def close(self, *, finished):
            calls.append("close")

    monkeypatch.setattr(trackers_module, "_mlflow", lambda *_: Broken())
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


def test_a_missing_extra_says_what_to_install(run, tracking, monkeypatch, capsys):
    from baryon.tracking import mlflow

    monkeypatch.setattr(mlflow, "find_spec", lambda name: None)
    trackers = Trackers(tracking(mlflow="file:mlruns"), run)
    trackers.log("train", LINE)
    trackers.close()
    assert "pip install 'baryon[mlflow]'" in capsys.readouterr().out


def test_a_database_without_all_of_mlflow_says_what_to_do(run, tracking, monkeypatch, capsys):
    from baryon.tracking import mlflow

    monkeypatch.setattr(mlflow, "find_spec", lambda name: name == "mlflow" or None)
    trackers = Trackers(tracking(mlflow="sqlite:///x.db"), run)
    trackers.log("train", LINE)
    trackers.close()
    assert "needs all of MLflow" in capsys.readouterr().out


@pytest.mark.slow
def test_mlflow_gets_a_run_and_its_resumption(run, tracking, tmp_path, capsys):
    import mlflow

    store = f"file:{tmp_path}/mlruns"
    for steps, auc in (((1, 2), None), ((2, 3), 0.9)):
        trackers = Trackers(tracking(mlflow=store), run)
        for step in steps:
            trackers.log("train", LINE | {"step": step})
        if auc:
            trackers.answer({"auc": auc}, "test")
        trackers.close()
        client = mlflow.MlflowClient(tracking_uri=store)
        experiment = client.get_experiment_by_name("tests")
        (there,) = client.search_runs([experiment.experiment_id])
        assert there.info.status == ("FINISHED" if auc else "KILLED")
    assert capsys.readouterr().out == ""
    assert there.info.run_name == run.path.name
    assert there.data.params["model.filters"] == "8"
    assert there.data.metrics["test/auc"] == 0.9
    history = client.get_metric_history(there.info.run_id, "train/loss")
    assert sorted(metric.step for metric in history) == [1, 2, 2, 3]


@pytest.mark.slow
def test_a_server_that_is_not_there_holds_nothing_up(run, tracking, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        trackers = Trackers(tracking(mlflow=address), run)
        started = time.monotonic()
        for step in range(100):
            trackers.log("train", LINE | {"step": step})
        assert time.monotonic() - started < 5
        trackers.close()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"warning: stopped logging to MLflow at {address}, training continues")
    assert len(line) < 400


def test_a_config_from_before_there_was_tracking_can_be_read(run):
    found = configs.read(run.config)
    assert not found.tracking.tensorboard
