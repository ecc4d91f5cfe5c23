"""The average of the weights over the steps, which is validated, saved, and exactly resumed."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn
from toy_run import break_off, config, log, plugins, trainer, weights

from baryon.api.weights import chosen_weights
from baryon.errors import BaryonError, LeaderDiedError
from baryon.runs.directory import RunDirectory
from baryon.training import run as training_run
from baryon.training.checkpoints.file import DamagedError
from baryon.training.evaluation import inference, validation_loss
from baryon.training.weight_average import WeightAverage
from baryon_comm.serial import Serial

DECAY = 0.8
EMA = {"ema": DECAY, "dropout": 0.2}


def saved(folder, name):
    return torch.load(folder / "checkpoints" / name, weights_only=True)


def test_it_is_the_average_that_its_definition_gives(tmp_path):
    running = trainer(tmp_path, config(norm=True, **EMA))
    expected = {name: value.double() for name, value in weights(running).items()}
    for step, _ in enumerate(running.steps()):
        decay = min(DECAY, (1 + step) / (10 + step))
        for name, value in weights(running).items():
            expected[name] = decay * expected[name] + (1 - decay) * value.double()
    averages = running._average.state_dict()
    trained = {name for name, _ in running.components.runner.model.named_parameters()}
    assert averages.keys() == trained  # and no running statistics
    for name, average in averages.items():
        assert torch.allclose(average.double(), expected[name], atol=1e-5), name


def test_it_changes_no_weight_and_is_what_is_validated(tmp_path):
    with_average = trainer(tmp_path / "with", config(norm=True, **EMA))
    with_average.fit()
    without = trainer(tmp_path / "without", config(norm=True, dropout=0.2))
    without.fit()
    plain = weights(without)
    assert all(torch.equal(value, plain[name]) for name, value in weights(with_average).items())

    average = saved(tmp_path / "with", "ema.pt")["model"]
    assert torch.equal(average["body.1.running_mean"], plain["body.1.running_mean"])
    assert not torch.equal(average["head.weight"], plain["head.weight"])
    model = with_average.components.runner.model
    model.load_state_dict(average)
    loader = with_average.components.loader("val")
    loss = validation_loss(with_average.components, loader)["loss"]
    losses = [line["loss"] for line in log(with_average, "validation")]
    assert loss == pytest.approx(losses[-1], rel=1e-6)
    assert losses != [line["loss"] for line in log(without, "validation")]
    best = saved(tmp_path / "with", "best.pt")
    model.load_state_dict(best["model"])
    assert validation_loss(with_average.components, loader)["loss"] == pytest.approx(min(losses))
    assert "of averaged weights" not in json.dumps(log(without, "validation"))
    assert not (tmp_path / "without" / "checkpoints" / "ema.pt").exists()


def test_a_resumed_run_has_the_same_average(tmp_path):
    settings = config(checkpoint_every_steps=4, **EMA)
    trainer(tmp_path / "whole", settings).fit()
    break_off(trainer(tmp_path / "cut", settings), 11)
    trainer(tmp_path / "cut", settings).fit()
    for name in ("last.pt", "best.pt", "ema.pt"):
        whole, cut = saved(tmp_path / "whole", name), saved(tmp_path / "cut", name)
        assert whole["step"] == cut["step"]
        for part in ("model", "ema"):
            for key, value in whole.get(part, {}).items():
                assert torch.equal(value, cut[part][key]), (name, key)


def test_an_average_of_other_parameters_is_a_damaged_checkpoint(tmp_path):
    settings = config(**EMA)
    break_off(trainer(tmp_path, settings), 6)
    running = trainer(tmp_path, settings)
    whole = running._average.state_dict()
    for wrong in ({}, {**whole, "head.bias": torch.zeros(3)}, {**whole, "more": torch.zeros(1)}):
        with pytest.raises(DamagedError, match="ema"):
            running._average.load_state_dict(wrong, tmp_path)


class DyingLeader(Serial):
    """Leads only after the first leader, another process, has died."""

    is_leader = False

    def broadcast(self, value):
        if not self.is_leader:
            assert value is None
            self.is_leader = True
            raise LeaderDiedError
        return value


def test_a_leader_that_dies_leaves_the_average_to_its_successor(tmp_path):
    average = WeightAverage(nn.Linear(2, 2), DECAY)
    average.start()
    before = {name: value.clone() for name, value in average.state_dict().items()}
    average.synchronize(DyingLeader())
    assert all(torch.equal(value, before[name]) for name, value in average.state_dict().items())


def test_the_final_evaluation_is_of_the_average_if_asked(tmp_path):
    settings = config(weights="ema", ema=0.99, epochs=1, batch_size=4)
    settings = replace(settings, run=replace(settings.run, root=str(tmp_path), name="run"))
    run = RunDirectory(training_run.start(settings, plugins(), "toy"))
    running = trainer(run.path, settings)  # only for its model and its data
    right = {}
    for name in ("ema", "last"):
        running.components.runner.model.load_state_dict(saved(run.path, f"{name}.pt")["model"])
        with inference(running.components.runner):
            guesses = [
                (running.components.runner(batch).argmax(dim=1) == batch["label"]).float()
                for batch in running.components.loader("val").in_order()
            ]
        right[name] = float(torch.cat(guesses).mean())
    assert json.loads(run.metrics.read_text())["accuracy"] == pytest.approx(right["ema"])
    assert right["ema"] != right["last"]
    assert chosen_weights(run, "ema", "best") == run.checkpoints / "ema.pt"
    (run.checkpoints / "ema.pt").unlink()
    with pytest.raises(BaryonError, match="has no averaged weights"):
        chosen_weights(run, "ema", "best")


def test_the_average_cannot_be_evaluated_where_there_is_none():
    with pytest.raises(BaryonError, match=r"train\.weights=ema needs an average"):
        config(weights="ema")
