"""Optuna's trials: chosen, pruned by their validation losses, and gone on with after a kill."""

import json

import pytest

pytestmark = pytest.mark.slow

SEARCH = ("sweep=optuna", "train.learning_rate=tag(log,interval(1e-6,1e-1))")
FEW = (*SEARCH, "sweep.trials=6", "sweep.startup_trials=2", "train.epochs=4")


def test_trials_learn_and_bad_ones_stop_early(sweep_here, left):
    done = sweep_here(*FEW)
    assert done.returncode == 0, done.stderr
    assert set(left().states) == {"finished", "pruned"}
    assert len(left().jobs) == 6
    for job in left().jobs:
        rate = job["choices"]["train.learning_rate"]
        assert 1e-6 <= rate <= 1e-1
        log = (left().path / job["run"] / "metrics.jsonl").read_text().splitlines()
        epochs = [r["epoch"] for r in map(json.loads, log) if r["kind"] == "validation"]
        assert (len(epochs) == 4) == (job["state"] == "finished"), job
        assert (job["value"] is None) == (job["state"] == "pruned")


def test_cut_off_in_the_middle_a_search_finds_what_it_would_have_found(sweep_here, left, tmp_path):
    """The trial is gone on with, and the next ones are chosen as if nothing had been."""
    few = (*SEARCH, "sweep.trials=3", "sweep.startup_trials=1", "sweep.warmup_epochs=0")
    assert sweep_here(*few, TOY_CUT="23").returncode == 130
    assert left().states[-1] == "waiting"
    done = sweep_here(*few)
    assert done.returncode == 0, done.stderr
    assert "finished before and skipped, 1 resuming from a checkpoint" in done.stdout
    cut = left()
    cut.path.rename(tmp_path / "cut")
    assert sweep_here(*few).returncode == 0
    assert len(left().jobs) == 3
    assert type(cut)(tmp_path / "cut").same_as(left())


@pytest.mark.extended
def test_a_failed_trial_is_tried_again_and_more_trials_go_on(sweep_here, left):
    few = ("sweep=optuna", "model.width=choice(2,3)", "train.steps=1", "sweep.sampler=random")
    done = sweep_here(*few, "sweep.trials=2", TOY_FAILS="2 3")
    assert done.returncode == 1
    assert set(left().states) == {"failed"}
    assert sweep_here(*few, "sweep.trials=4").returncode == 0
    assert left().states == ["finished"] * 2  # more trials than values: a job is done once
    assert "2 jobs: 2 finished before" in sweep_here(*few, "sweep.trials=4").stdout
