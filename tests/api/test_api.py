"""What a notebook or a program gets from `import baryon`."""

import logging
import os
import signal
import subprocess
import sys
import threading

import h5py
import numpy as np
import pytest
import torch

import baryon
from baryon.terminal.console import LOGGER
from baryon.terminal.handler import ConsoleHandler

HEAVY = ("torch", "h5py", "mpi4py", "matplotlib", "hydra", "pandas", "IPython")


def test_importing_is_light():
    code = f"import sys, baryon; dir(baryon); print([m for m in {HEAVY} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_the_public_names_are_there_and_have_a_docstring():
    assert set(baryon.__all__) <= set(dir(baryon))
    for name in set(baryon.__all__) - {"__version__", "hookimpl"}:
        assert getattr(baryon, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'tarin'"):
        baryon.tarin  # noqa: B018


def test_compose_answers_as_the_command_does(hep_files):
    config = baryon.compose([*hep_files, "train.epochs=3"])
    assert config.train.epochs == 3
    assert config.values["model"]["filters"] == 8
    with pytest.raises(baryon.BaryonError, match=r"train has no key .epoch.; did you mean .epochs"):
        baryon.compose(["experiment=hep_demo", "train.epoch=3"])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("experiment=hep_demo", "overrides are a list"),
        (["experiment=hep_demo", "launch=cores"], "baryon.sweep"),
        (["experiment=hep_demo", "model.filters=many"], "filters='many' is of the wrong type"),
    ],
)
def test_what_cannot_be_trained_is_one_line(overrides, message):
    with pytest.raises(baryon.BaryonError, match=message) as error:
        baryon.train(overrides)
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def run(tmp_path_factory, hep_files, cache):
    """A run of two steps that was trained in this process."""
    folder = tmp_path_factory.mktemp("api")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_CACHE_HOME", str(cache))
        yield baryon.train([*hep_files, "train.steps=3", "run.name=first"])


@pytest.mark.slow
def test_train_returns_a_finished_run_with_its_answer(run):
    assert (run.name, run.state) == ("first", "finished")
    assert run.path.parent.name == "runs"
    assert run.config["train"]["steps"] == 3
    assert run.metrics["auc"] == run.answer.metrics["auc"]
    assert run.answer.summary in repr(run.answer)
    assert "the cuts keep" in run.answer.summary
    assert [row["step"] for row in run.history()] == [1, 2, 3]
    assert run.history().to_pandas()["loss"].notna().all()
    assert run.answer.tables
    assert {"roc", "training"} <= run.answer.figures.keys()
    assert len(run.curves().axes) == 2
    assert run.report().read_text().startswith("<!doctype html>")


@pytest.mark.slow
def test_a_notebook_shows_a_run_with_its_pictures_inside(run):
    page = run._repr_html_()
    assert page.count("data:image/png;base64,") == 2
    assert "model=hep_cnn" in page
    assert run.answer.summary.split(";")[0] in page
    assert "<img" in run.answer._repr_html_()


@pytest.mark.slow
def test_a_loaded_model_gives_what_predict_writes(run, write_events, tmp_path):
    """From the values of the file, without the caller's normalising anything."""
    file = write_events(tmp_path / "new.h5", 24, seed=9)
    folder = run.predict(file, ["predict.formats=[hdf5]"], out=tmp_path / "out", weights="last")
    with h5py.File(folder / "scores.h5") as written, h5py.File(file) as events:
        scores, images = written["probability"][:], torch.from_numpy(events["data"][:])
    model = run.load_model("last")
    assert not model.training
    with torch.inference_mode():
        assert np.allclose(model(images).softmax(dim=1)[:, 1], scores, atol=1e-5)


@pytest.mark.slow
def test_weights_of_another_name_are_one_line(run):
    for ask in (run.load_model, lambda name: run.evaluate(weights=name)):
        with pytest.raises(baryon.BaryonError, match=r"weights=\.\./x is not known; .*best, last"):
            ask("../x")


@pytest.mark.slow
def test_evaluate_answers_beside_the_runs_own_answer(run):
    answer = run.evaluate(split="val", weights="last")
    assert answer.split == "val"
    assert answer.path.parent == run.path / "evaluations"
    assert answer.metrics.keys() == run.metrics.keys()
    with pytest.raises(baryon.BaryonError, match=r"no figure .rock.; .*roc"):
        answer.figure("rock")


@pytest.mark.slow
def test_runs_are_listed_with_their_answers(run):
    runs = baryon.list_runs(run.path.parent)
    assert [entry.name for entry in runs] == ["first"]
    (row,) = runs.rows()
    assert row["state"] == "finished"
    assert row["model.name"] == "hep_cnn"
    assert row["auc"] == run.metrics["auc"]
    assert "train.epochs" in runs.to_pandas().columns
    page = runs._repr_html_()
    assert "<th>auc</th>" in page
    assert "<th>train.epochs</th>" not in page
    with pytest.raises(baryon.BaryonError, match="does not exist"):
        baryon.list_runs(run.path / "nowhere")


@pytest.mark.slow
def test_ctrl_c_leaves_a_run_that_goes_on(hep_files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    short = [*hep_files, "train.epochs=8", "run.name=cut", "train.log_every_steps=1"]
    log = tmp_path / "runs" / "cut" / "metrics.jsonl"

    def interrupt() -> None:
        while not (log.is_file() and '"kind": "train"' in log.read_text()):
            pass
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        baryon.train(short)
    cut = baryon.Run("runs/cut")
    assert cut.state == "stopped"
    assert cut.resume().state == "finished"
    steps = [row["step"] for row in cut.history()]
    assert steps == list(range(1, 49))


def test_a_program_that_has_set_up_logging_gets_the_messages_there(monkeypatch, caplog):
    from baryon.api.messages import messages_shown
    from baryon.terminal.console import say

    monkeypatch.setattr(LOGGER, "handlers", [])
    monkeypatch.setattr(LOGGER, "propagate", True)
    with caplog.at_level(logging.INFO, "baryon"), messages_shown():
        assert LOGGER.handlers == []
        say("a message")
    assert [record.getMessage() for record in caplog.records] == ["a message"]


def test_else_they_are_shown_as_the_command_shows_them(monkeypatch):
    from baryon.api.messages import messages_shown

    monkeypatch.setattr(LOGGER, "handlers", [])
    monkeypatch.setattr(LOGGER, "propagate", False)
    with messages_shown():
        assert isinstance(LOGGER.handlers[0], ConsoleHandler)
    assert LOGGER.handlers == []


@pytest.mark.slow
@pytest.mark.usefixtures("children_are_forks")
def test_a_sweep_returns_its_runs(hep_files, cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    runs = baryon.sweep([*hep_files, "train.steps=1", "seed=1,2", "sweep.name=seeds"])
    assert [run.state for run in runs] == ["finished", "finished"]
    assert sorted(run.config["seed"] for run in runs) == [1, 2]
    assert {run.path.parent.name for run in runs} == {"sweep-seeds"}
    with pytest.raises(baryon.BaryonError, match="has no key"):
        baryon.sweep([*hep_files, "train.stepz=1,2"])
