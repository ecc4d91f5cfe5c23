"""The loss curve of the log: means over whole intervals, the same in a run that was resumed."""

import json

import pytest
import torch

from baryon.config.compose import composed
from baryon.plugins.registry import discover
from baryon.runs import directory as run_directory
from baryon.training.build import build_components
from baryon.training.checkpoints.folder import load_last
from baryon.training.consistency import distributed_run
from baryon.training.running_loss import RunningLoss, merged
from baryon.training.stop_request import StopRequest
from baryon.training.trainer import Trainer

CPU = torch.device("cpu")
EVERY = 4


@pytest.fixture(scope="module")
def train(hep_files, write_events, tmp_path_factory, cache):
    """Train on 44 samples in batches of at most 16 (3 steps an epoch), until after step `stop`."""
    folder = tmp_path_factory.mktemp("running-loss")
    train_file = write_events(folder / "train.h5", 44, seed=3)
    plugins = discover()
    random = torch.get_rng_state()

    def run(name, write_every=1, stop=None, steps=14):
        overrides = [
            *hep_files,
            f"dataset.train={train_file}",
            "model.filters=2",
            f"train.steps={steps}",
            f"train.log_every_steps={write_every}",
            "train.checkpoint_every_steps=5",
            "train.epochs=50",
            f"run.name={name}",
            "tracking.tensorboard=false",
            "train.precision=fp32",
        ]
        config = composed(overrides, plugins)
        directory = run_directory.RunDirectory(folder / "runs" / name)
        with distributed_run(config, plugins) as comm:
            components = build_components(config, plugins, comm)
            if not directory.path.exists():
                directory = run_directory.create(config.run, "test")
            request = StopRequest()
            trainer = Trainer(components, config, directory, request)
            trainer.prepare()
            if (directory.checkpoints / "last.pt").exists():
                trainer.restore(*load_last(directory.checkpoints))
            trainer._after_step = _asking(trainer._after_step, trainer, request, stop)
            trainer.fit()
            components.close()
        lines = (directory.path / "metrics.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
        monkeypatch.chdir(folder)
        yield run
    torch.set_rng_state(random)


@pytest.fixture(scope="module")
def whole(train):
    """The log of a run that is never stopped."""
    return train("whole", EVERY)


def _asking(after_step, trainer, request, stop):
    def asking():
        after_step()
        request.asked = trainer.state.step + 1 == stop  # asked before the last step begins

    return asking


def losses(records, kind="train"):
    return {r["step"]: r["loss"] for r in records if r["kind"] == kind}


def test_lines_are_means_of_whole_intervals_over_the_ends_of_epochs(train, whole):
    single = losses(train("single"))
    assert list(single) == list(range(1, 15))
    logged = losses(whole)
    assert list(logged) == [4, 8, 12, 14]  # epochs end after steps 3, 6, 9, 12
    sizes = [15, 15, 14]
    for step, loss in logged.items():
        steps = range(step - (step - 1) % EVERY, step + 1)
        samples = [sizes[(one - 1) % 3] for one in steps]
        mean = sum(single[s] * n for s, n in zip(steps, samples, strict=True)) / sum(samples)
        assert loss == pytest.approx(mean, rel=1e-5)
    marked = {r["step"]: r["steps"] for r in whole if "steps" in r}
    assert marked == {14: 2}
    assert list(losses(whole, "validation")) == [3, 6, 9, 12, 14]


@pytest.mark.parametrize("stop", [2, 5, 7, 8, 13])
def test_a_resumed_curve_is_that_of_a_run_that_was_never_stopped(train, whole, stop):
    stopped = train(f"cut-{stop}", EVERY, stop=stop)
    last = [r for r in stopped if r["kind"] == "train"][-1]
    assert last["step"] == stop
    assert last.get("steps") == (stop % EVERY or None)
    resumed = train(f"cut-{stop}", EVERY)
    assert losses(resumed) == losses(whole)  # to the bit
    assert losses(resumed, "validation") == losses(whole, "validation")
    assert [r["step"] for r in resumed if "steps" in r] == [14]


def state(steps, samples, **sums):
    return {
        "steps": steps,
        "samples": samples,
        "sums": {name: torch.tensor(value) for name, value in sums.items()},
    }


def test_an_interval_is_finished_on_another_number_of_workers():
    running = RunningLoss()
    running.load_state_dict(merged([state(3, 6, a=3.0), state(3, 4, a=1.0, b=2.0)]), CPU)
    running.add({"a": torch.tensor(0.5)}, 10)
    assert (running.steps, running.samples) == (4, 20)
    assert running.sums() == {"a": 9.0, "b": 2.0}


def test_a_step_that_was_skipped_has_no_samples():
    running = RunningLoss()
    running.add({}, 16)
    assert (running.steps, running.samples, running.sums()) == (1, 0, {})
