"""What users ask of a training is the same under every communicator, on ranks that really run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from toy_run import break_off, config, trainer, weights

from baryon.config.schemas import ParameterGroup
from baryon.launch.mpiexec import launch_command, launch_environment

pytestmark = [pytest.mark.mpi, pytest.mark.slow]

SCRIPT = Path(__file__).parent / "runs_on_ranks.py"
GROUPS = {
    "parameter_groups": [{"pattern": "*.bias", "learning_rate_scale": 0.1, "weight_decay": 0.0}],
    "weight_decay": 0.1,
}
SGD = {"optimizer": "sgd", "momentum": 0.5, "ema": 0.8}
SAVING = SGD | {"epochs": 2, "checkpoint_every_steps": 3}  # at each, `local_sgd` averages once more
PARTS = SAVING | GROUPS | {"batch_size": 4, "accumulation_steps": 3}
WHOLE = SAVING | GROUPS | {"batch_size": 12}
# A loss that soon falls by no more than this: how soon differs from run to run with two groups.
PATIENT = {"learning_rate": 0.3, "epochs": 12, "patience": 1, "min_improvement": 0.02}
FROZEN = SGD | GROUPS | PATIENT | {"freeze": ["body"], "norm": True}
AVERAGING = {"every": 2, "outer_learning_rate": 1.0, "outer_momentum": 0.0}
RUNS = {
    "sync": {"comm": "sync", "train": PARTS},
    "hybrid": {"comm": "hybrid", "options": {"groups": 1, "servers": 1}, "train": PARTS},
    "local": {"comm": "local_sgd", "options": AVERAGING, "train": PARTS},
    "local, whole": {"comm": "local_sgd", "options": AVERAGING, "train": WHOLE},
    "cut": {"comm": "sync", "train": PARTS},
    "sync, patient": {"comm": "sync", "train": FROZEN},
    "local, patient": {"comm": "local_sgd", "options": AVERAGING, "train": FROZEN},
    "hybrid, patient": {
        "comm": "hybrid",
        "options": {"groups": 2, "servers": 1},
        "train": FROZEN,
    },
}
PATIENT_RUNS = ("sync, patient", "local, patient", "hybrid, patient")


def on_one_process(train):
    """Return these keys of `train` with groups of parameters as the config has them."""
    groups = [ParameterGroup(**group) for group in train["parameter_groups"]]
    return config(**train | {"parameter_groups": groups})


@pytest.fixture(scope="module")
def runs(tmp_path_factory, cache):
    """The folder of the runs on three ranks, and what each worker came to, by run."""
    folder = tmp_path_factory.mktemp("runs")
    # One process is cut off within an epoch; three ranks go on with its run.
    break_off(trainer(folder / "cut", on_one_process(PARTS)), 4)
    shutil.copy(folder / "cut" / "checkpoints" / "last.pt", folder / "first.pt")
    initial = {"init": str(folder / "first.pt"), "init_only": ["head"]}
    by_name = {
        name: run | {"train": run["train"] | (initial if name in PATIENT_RUNS else {})}
        for name, run in RUNS.items()
    }
    done = subprocess.run(
        launch_command(3, [sys.executable, SCRIPT, str(folder), json.dumps(by_name)]),
        env=launch_environment(3) | {"OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(cache)},
        text=True,
        capture_output=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, {
        name: [
            torch.load(path, weights_only=True)
            for path in sorted((folder / name).glob("worker-*.pt"))
        ]
        for name in RUNS
    }


@pytest.fixture
def serial(tmp_path):
    """One process that was trained on the whole batch.

    `test_parameter_groups.py` and `test_weight_average.py` compare that with PyTorch's own groups
    and averages by hand.
    """
    running = trainer(tmp_path / "serial", on_one_process(WHOLE))
    running.fit()
    return running


def assert_close(one, other):
    for name, value in one.items():
        assert torch.allclose(value, other[name], rtol=1e-4, atol=1e-5), name


def log(folder: Path, kind: str) -> list[dict]:
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [line for line in lines if line["kind"] == kind]


def test_accumulated_steps_with_groups_of_parameters_are_those_of_the_whole_batch(runs, serial):
    _, by_name = runs
    for worker in [*by_name["sync"], *by_name["hybrid"]]:
        assert_close(worker["weights"], weights(serial))
    for worker, whole in zip(by_name["local"], by_name["local, whole"], strict=True):
        assert_close(worker["weights"], whole["weights"])


def test_gradients_are_exchanged_once_a_step(runs):
    _, by_name = runs
    for name in ("sync", "hybrid"):
        for worker in by_name[name]:
            assert worker["exchanges"] == worker["step"] * worker["layers"] > 0
    assert all(worker["exchanges"] == 0 for worker in by_name["local"])


def test_a_run_cut_off_within_an_epoch_goes_on_at_the_sample_on_more_ranks(runs, serial):
    folder, by_name = runs
    assert len(by_name["cut"]) == 3
    for worker in by_name["cut"]:
        assert worker["step"] == 8
        assert_close(worker["weights"], weights(serial))
    assert [line["step"] for line in log(folder / "cut", "train")] == [2, 4, 6, 8]


def test_averages_of_weights_are_those_of_one_process_and_of_the_leader(runs, serial):
    _, by_name = runs
    for worker in [*by_name["sync"], *by_name["hybrid"], *by_name["cut"]]:
        assert_close(worker["average"], serial._average.state_dict())
    for name in ("local", *PATIENT_RUNS):
        for worker in by_name[name]:
            assert worker["average"].keys() <= worker["weights"].keys()
            for key, average in worker["average"].items():
                assert torch.equal(average, by_name[name][0]["average"][key])


def test_validations_are_those_of_the_averaged_weights(runs, serial):
    folder, _ = runs
    expected = [line["loss"] for line in log(serial.run.path, "validation")]
    for name in ("sync", "hybrid", "cut"):
        losses = [line["loss"] for line in log(folder / name, "validation")]
        assert losses == pytest.approx(expected, rel=1e-4)
        best, average = (
            torch.load(folder / name / "checkpoints" / file, weights_only=True)["model"]
            for file in ("best.pt", "ema.pt")
        )
        assert all(torch.equal(best[key], average[key]) for key in best)  # the last is the best


@pytest.mark.parametrize("name", PATIENT_RUNS)
def test_all_workers_start_from_the_weights_of_another_run(runs, name):
    folder, by_name = runs
    initial = torch.load(folder / "first.pt", weights_only=True)["model"]
    for worker in by_name[name]:
        assert torch.equal(worker["first"]["head.weight"], initial["head.weight"])
        first = by_name[name][0]["first"]
        assert all(torch.equal(value, first[key]) for key, value in worker["first"].items())


@pytest.mark.parametrize("name", PATIENT_RUNS)
def test_frozen_parameters_are_neither_changed_nor_exchanged(runs, name):
    _, by_name = runs
    for worker in by_name[name]:
        assert worker["layers"] == 1
        first, last = worker["first"], worker["weights"]
        changed = {key for key in first if not torch.equal(first[key], last[key])}
        assert changed == {"head.weight", "head.bias"}


@pytest.mark.parametrize("name", PATIENT_RUNS)
def test_all_workers_stop_early_at_the_same_step(runs, name):
    folder, by_name = runs
    (stop,) = log(folder / name, "early_stop")
    losses = [line["loss"] for line in log(folder / name, "validation")]
    lowest, since = losses[0], 0
    number = 1
    while since < 1:
        loss = losses[number]
        lowest, since = (loss, 0) if loss < lowest - 0.02 else (lowest, since + 1)
        number += 1
    assert number == len(losses) < 12
    assert {worker["step"] for worker in by_name[name]} == {stop["step"]}
    assert stop["step"] == 6 * number  # steps of an epoch
    assert all(
        torch.equal(worker["weights"]["head.weight"], by_name[name][0]["weights"]["head.weight"])
        for worker in by_name[name]
    )
