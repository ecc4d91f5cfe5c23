"""Parameters that are frozen, or have rates of their own, are chosen by patterns of their names."""

import pytest
import torch
from torch import nn
from toy_run import Network, break_off, config, log, plugins, trainer, weights

from baryon.config.compose import composed
from baryon.config.schemas import ParameterGroup
from baryon.errors import BaryonError
from baryon.training.build import build_components
from baryon.training.optimizers import ScheduledOptimizerFactory
from baryon.training.parameter_groups import check_parameter_groups, freeze, matches
from baryon_comm.serial import Serial

NAMES = "body.0.weight, body.0.bias, head.weight, head.bias"
SLOW_BODY = ParameterGroup("body", learning_rate_scale=0.1)
PLAIN_BIAS = ParameterGroup("head.bias", weight_decay=0.0)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("body", ["body.0.weight", "body.0.bias"]),
        ("body.*", ["body.0.weight", "body.0.bias"]),
        ("*.bias", ["body.0.bias", "head.bias"]),
        ("head.weight", ["head.weight"]),
        ("he", []),
        ("[bh]o*", ["body.0.weight", "body.0.bias"]),
    ],
)
def test_a_pattern_stands_for_names_and_for_modules(pattern, names):
    assert [name for name in NAMES.split(", ") if matches(pattern, name)] == names


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
        self.second.weight = self.first.weight


@pytest.mark.parametrize(
    ("groups", "line"),
    [
        (
            [ParameterGroup("bodi.*")],
            "train.parameter_groups: pattern 'bodi.*' matches no parameter that is trained; "
            f"parameters: {NAMES}",
        ),
        (
            [SLOW_BODY, ParameterGroup("*.bias")],
            "train.parameter_groups: parameter body.0.bias must be of one group, and is matched "
            f"by 'body', '*.bias'; parameters: {NAMES}",
        ),
    ],
)
def test_groups_that_do_not_fit_are_one_line(groups, line):
    with pytest.raises(BaryonError) as raised:
        build_components(config(parameter_groups=groups), plugins(), Serial())
    assert str(raised.value) == line


def test_a_shared_parameter_is_of_one_group_under_all_its_names():
    check_parameter_groups(Tied(), [ParameterGroup("*.weight")])
    with pytest.raises(BaryonError, match=r"first\.weight = second\.weight must be of one group"):
        check_parameter_groups(Tied(), [ParameterGroup("second")])


def test_what_cannot_be_frozen_is_one_line():
    model = Network(norm=False, dropout=0.0)
    with pytest.raises(BaryonError, match=r"train\.freeze: pattern 'legs' matches no parameter"):
        freeze(model, ["legs"])
    with pytest.raises(BaryonError, match="leaves no parameter to train"):
        freeze(model, ["*"])


def test_the_command_line_gives_groups():
    groups = "train.parameter_groups=[{pattern: 'conv1.*', learning_rate_scale: 0.1}]"
    frozen = composed(["experiment=hep_demo", groups, "train.freeze=[conv2]"], plugins())
    assert frozen.train.parameter_groups == [ParameterGroup("conv1.*", 0.1)]
    assert frozen.train.freeze == ["conv2"]
    for wrong, line in (
        ("[{pattern: a, rate: 0.1}]", "rate"),
        ("[{learning_rate_scale: 0.1}]", "pattern"),
        ("[{pattern: a, learning_rate_scale: -1}]", "must be 0 or more"),
    ):
        with pytest.raises(BaryonError, match=line) as raised:
            composed(["experiment=hep_demo", f"train.parameter_groups={wrong}"], plugins())
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_the_weights_are_those_of_pytorchs_own_groups(tmp_path, name):
    settings = config(
        optimizer=name, weight_decay=0.1, parameter_groups=[SLOW_BODY, PLAIN_BIAS], epochs=1
    )
    running = trainer(tmp_path, settings)
    model = Network(norm=False, dropout=0.0)
    model.load_state_dict(weights(running))
    groups = [
        {"params": [*model.body.parameters()], "lr": 0.002},
        {"params": [model.head.weight]},
        {"params": [model.head.bias], "weight_decay": 0.0},
    ]
    kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    own = {"momentum": 0.9} if name == "sgd" else {}
    optimizer = kinds[name](groups, lr=0.02, weight_decay=0.1, **own)
    for batch in running.loader.shuffled(0):
        nn.functional.cross_entropy(model(batch["inputs"]), batch["label"]).backward()
        optimizer.step()
        optimizer.zero_grad()
    running.fit()
    for key, value in weights(running).items():
        assert torch.allclose(value, model.state_dict()[key], atol=1e-6), key


FROZEN = {"freeze": ["body"], "parameter_groups": [PLAIN_BIAS]}


def test_frozen_parameters_and_their_running_statistics_stay(tmp_path):
    running = trainer(tmp_path, config(norm=True, weight_decay=0.1, optimizer="adamw", **FROZEN))
    before = weights(running)
    running.fit()
    after = weights(running)
    assert {name for name in after if not torch.equal(after[name], before[name])} == {
        "head.weight",
        "head.bias",
    }
    assert "body.1.running_mean" in after
    saved = torch.load(tmp_path / "checkpoints" / "last.pt", weights_only=True)
    assert saved["communicator"]["optimizer"].keys() == {"head.weight", "head.bias"}
    assert len(log(running, "validation")) == 3


BY_KIND = {"parameter_groups": [ParameterGroup("*.weight", 0.1)]}  # PyTorch numbers them anew


@pytest.mark.parametrize("choices", [FROZEN, BY_KIND], ids=["frozen", "by kind"])
def test_a_resumed_run_has_the_groups_and_their_state(tmp_path, choices):
    settings = config(optimizer="adam", checkpoint_every_steps=4, **choices)
    whole = trainer(tmp_path / "whole", settings)
    whole.fit()
    break_off(trainer(tmp_path / "cut", settings), 9)
    resumed = trainer(tmp_path / "cut", settings)
    assert resumed.state.step == 8
    resumed.fit()
    expected = weights(whole)
    assert all(torch.equal(value, expected[name]) for name, value in weights(resumed).items())


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_the_lookahead_of_momentum_has_each_groups_rate(name):
    settings = config(optimizer=name, **BY_KIND).train
    layer = nn.Sequential(nn.Linear(2, 2))
    update = ScheduledOptimizerFactory(settings, 10, 10)(layer.named_parameters())
    for parameter in layer.parameters():
        parameter.grad = torch.ones_like(parameter)
    update.apply(0)
    weight, bias = (change.abs().mean() for change in update.momentum_lookahead())
    assert float(weight / bias) == pytest.approx(0.1)
