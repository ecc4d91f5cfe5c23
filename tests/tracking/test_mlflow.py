"""MLflow gets what the log gets; whatever it does, training goes on."""

import socket
import threading

import pytest
from tensorboard_reader import LINE

from baryon.tracking import mlflow as mlflow_tracker
from baryon.tracking.trackers import Trackers


def test_a_missing_extra_says_what_to_install(run, tracking, monkeypatch, capsys):
    monkeypatch.setattr(mlflow_tracker, "find_spec", lambda name: None)
    trackers = Trackers(tracking(mlflow="http://host:5000"), run)
    trackers.log("train", LINE)
    trackers.close()
    assert capsys.readouterr().out == (
        "warning: stopped logging to MLflow, training continues: install it by pip install "
        "'baryon[mlflow]'\n"
    )


def test_a_database_without_what_it_needs_says_what_to_install(run, tracking, monkeypatch, capsys):
    monkeypatch.setattr(mlflow_tracker, "find_spec", lambda name: name == "mlflow" or None)
    trackers = Trackers(tracking(mlflow="sqlite:///x.db"), run)
    trackers.log("train", LINE)
    trackers.close()
    assert "install it by pip install 'baryon[mlflow]'" in capsys.readouterr().out


@pytest.mark.parametrize("folder", ["file:mlruns", "mlruns", "/data/mlruns"])
def test_a_folder_is_refused_with_a_database_in_its_place(run, tracking, capsys, folder):
    trackers = Trackers(tracking(mlflow=folder), run)
    trackers.log("train", LINE)
    trackers.close()
    said = capsys.readouterr().out
    assert f"MLflow writes into no plain folder any more ({folder}): give a database, tra" in said


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what MLflow takes of SQLAlchemy
def test_mlflow_gets_a_run_and_its_resumption(run, tracking, tmp_path, capsys):
    import mlflow

    store = f"sqlite:///{tmp_path}/mlflow.db"
    for steps, auc in (((1, 2), None), ((2, 3), 0.9)):
        trackers = Trackers(tracking(mlflow=store), run)
        for step in steps:
            trackers.log("train", LINE | {"step": step})
        if auc:
            trackers.answer({"auc": auc}, "test")
        trackers.close()
        client = mlflow.MlflowClient(tracking_uri=store)
        experiment = client.get_experiment_by_name("tests")
        (logged_run,) = client.search_runs([experiment.experiment_id])
        assert logged_run.info.status == ("FINISHED" if auc else "KILLED")
    assert capsys.readouterr().out == ""
    assert logged_run.info.run_name == run.path.name
    assert logged_run.data.params["model.filters"] == "8"
    assert logged_run.data.metrics["test/auc"] == 0.9
    history = client.get_metric_history(logged_run.info.run_id, "train/loss")
    assert sorted(metric.step for metric in history) == [1, 2, 2, 3]


@pytest.mark.slow
def test_a_server_that_is_not_there_holds_nothing_up(run, tracking, monkeypatch, capsys):
    logged = threading.Event()
    connect = mlflow_tracker._client

    def connect_late(address):
        assert logged.wait(30), "a step waited for the server"
        return connect(address)

    monkeypatch.setattr(mlflow_tracker, "_client", connect_late)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        trackers = Trackers(tracking(mlflow=address), run)
        for step in range(100):
            trackers.log("train", LINE | {"step": step})
        logged.set()
        trackers.close()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"warning: stopped logging to MLflow at {address}, training continues")
    assert len(line) < 400
