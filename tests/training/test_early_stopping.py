"""A run whose validation loss falls no more ends, at the same step however it was interrupted."""

import json
import math
from dataclasses import replace

import pytest
import torch
from toy_run import break_off, config, log, plugins, trainer, weights

from baryon.api.html import run_html
from baryon.report.page import run_page
from baryon.runs import record as run_record
from baryon.runs.directory import RunDirectory
from baryon.runs.metrics_log import MetricsLog
from baryon.sweeps import objective
from baryon.training import run as training_run
from baryon.training.early_stopping import EarlyStopping

STOPS = {
    "patience": 2,
    "min_improvement": 10.0,
    "epochs": 9,
}  # only the first one improves: from inf


def due_after(losses, patience, min_improvement=0.0) -> int | None:
    """After how many validations it is due; each goes through a checkpoint."""
    state = EarlyStopping().state_dict()
    for number, loss in enumerate(losses, 1):
        stopping = EarlyStopping(patience, min_improvement)
        stopping.load_state_dict(state)
        stopping.observe(loss)
        if stopping.is_due:
            return number
        state = json.loads(json.dumps(stopping.state_dict()))
    return None


@pytest.mark.parametrize(
    ("losses", "patience", "min_improvement", "expected"),
    [
        ([3, 2, 1, 2, 2, 2], 3, 0.0, 6),
        ([3, 2, 2, 1, 1, 0.5, 1], 2, 0.0, None),
        ([3, 3, 3], 1, 0.0, 2),
        ([3, 2.9, 2.8, 2.7], 3, 0.25, None),  # small steps that add up to enough
        ([3, 2.9, 2.8, 2.9], 2, 0.25, 3),
        ([math.nan, math.inf, 1], 2, 0.0, 2),  # no numbers, no improvement
        ([3, 3, 3, 3], None, 0.0, None),
    ],
)
def test_validations_without_improvement(losses, patience, min_improvement, expected):
    assert due_after(losses, patience, min_improvement) == expected


def test_a_run_ends_early_and_says_so(tmp_path, capsys):
    running = trainer(tmp_path, config(log_every_steps=4, **STOPS))
    assert running.fit()  # it has finished, and is not only stopped
    assert running.state.step == 18
    said = " ".join(capsys.readouterr().out.split())
    assert "stopped early at step 18 of 54: no improvement of the validation loss in 2" in said
    (line,) = log(running, "early_stop")
    lowest = log(running, "validation")[0]["loss"]
    assert (line["step"], line["planned_steps"], line["lowest"]) == (18, 54, lowest)
    steps = [(entry["step"], entry.get("steps")) for entry in log(running, "train")]
    assert steps == [(4, None), (8, None), (12, None), (16, None), (18, 2)]  # also the last two
    record = run_record.read(RunDirectory(tmp_path), config={})
    for shown in (run_page.page(record), run_html(record)):
        assert "stopped early at step 18 of 54: no improvement of the validation loss" in shown


@pytest.mark.parametrize("killed_at", [8, 12, 15])
def test_a_resumed_run_ends_at_the_same_step(tmp_path, killed_at):
    settings = config(checkpoint_every_steps=5, dropout=0.2, **STOPS)
    whole = trainer(tmp_path / "whole", settings)
    whole.fit()
    break_off(trainer(tmp_path / "cut", settings), killed_at)
    resumed = trainer(tmp_path / "cut", settings)
    assert 0 < resumed.state.step <= killed_at
    assert resumed.fit()
    assert resumed.state.step == whole.state.step == 18
    expected = weights(whole)
    assert all(torch.equal(value, expected[name]) for name, value in weights(resumed).items())
    again = trainer(tmp_path / "cut", settings)  # killed in the final evaluation
    assert again.fit()
    assert again.state.step == 18
    assert len(log(again, "early_stop")) == 1
    assert [entry["step"] for entry in log(again, "train")][-1] == 18


def test_without_an_improvement_nothing_changes_the_best_weights(tmp_path):
    running = trainer(tmp_path, config(**STOPS))
    running.fit()
    losses = [line["loss"] for line in log(running, "validation")]
    assert running.state.best == min(losses) < losses[0]  # by less than `min_improvement`
    best = torch.load(tmp_path / "checkpoints" / "best.pt", weights_only=True)
    assert best["step"] == 6 * (1 + losses.index(min(losses)))


def test_a_job_of_a_sweep_that_ends_early_has_finished(tmp_path):
    """Its sweep sees each validation, and compares it by the loss of the weights it evaluated."""
    observed, run = [], RunDirectory(tmp_path / "job")
    settings = config(learning_rate=0.5, **STOPS)
    training_run.start_or_resume(
        run, settings, plugins(), observe=lambda epoch, _: observed.append(epoch), git=False
    )
    assert run.finished
    assert observed == [1, 2, 3]
    losses = [line["loss"] for line in MetricsLog(run.log).read() if line["kind"] == "validation"]
    for evaluated, expected in (("best", min(losses)), ("last", losses[-1])):
        of_weights = replace(settings, train=replace(settings.train, weights=evaluated))
        assert objective.value(run, of_weights, "validation_loss") == expected
