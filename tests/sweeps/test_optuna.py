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
