from itertools import pairwise

import pytest
import torch
from torch import nn

from baryon.config import schemas
from baryon.config.schemas import Train
from baryon.training import optimizers, schedules
from baryon.training.optimizers import ScheduledOptimizerFactory

SETTINGS = {
    "epochs": 1,
    "steps": None,
    "batch_size": 4,
    "accumulation_steps": 1,
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "weight_decay": 0.0,
    "momentum": 0.0,
    "beta2": 0.999,
    "nesterov": False,
    "schedule": "constant",
    "warmup_steps": 0,
    "step_epochs": 1,
    "step_factor": 0.1,
    "clip_norm": None,
    "parameter_groups": [],
    "freeze": [],
    "device": "cpu",
    "precision": "fp32",
    "compile": "never",
    "channels_last": False,
    "micro_batch": None,
    "memory_gib": None,
    "activation_checkpointing": False,
    "nonfinite": "stop",
    "validate_every_epochs": 1,
    "ema": None,
    "init": None,
    "init_only": [],
    "patience": None,
    "min_improvement": 0.0,
    "folds": None,
    "fold": None,
    "checkpoint_every_steps": 10,
    "keep_checkpoints": 1,
    "shard_gib": 1.0,
    "weights": "best",
    "log_every_steps": 1,
    "profile": False,
}


def train(**changes) -> Train:
    return Train(**SETTINGS | changes)


def descend(settings, steps=5, total=5, per_epoch=5):
    """The weight after each update of f(w) = w^2 / 2 from 1."""
    weight = nn.Parameter(torch.ones(()))
    update = ScheduledOptimizerFactory(settings, total, per_epoch)([("weight", weight)])
    trace = []
    for step in range(steps):
        (weight**2 / 2).backward()
        update.apply(step)
        trace.append(weight.item())
    return trace


def test_plain_descent():
    assert descend(train()) == pytest.approx([0.9**n for n in range(1, 6)])


@pytest.mark.parametrize(
    ("settings", "reference"),
    [
        ({"momentum": 0.9}, lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)),
        (
            {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
            lambda p: torch.optim.SGD(p, 0.1, 0.9, weight_decay=0.01, nesterov=True),
        ),
        (
            {"optimizer": "adam", "momentum": 0.8, "beta2": 0.99},
            lambda p: torch.optim.Adam(p, 0.1, (0.8, 0.99)),
        ),
        (
            {"optimizer": "adamw", "momentum": 0.9, "weight_decay": 0.1},
            lambda p: torch.optim.AdamW(p, 0.1, (0.9, 0.999), weight_decay=0.1),
        ),
    ],
)
def test_the_same_as_torch_by_hand(settings, reference):
    weight = nn.Parameter(torch.ones(()))
    optimizer = reference([("weight", weight)])
    trace = []
    for _ in range(5):
        (weight**2 / 2).backward()
        optimizer.step()
        optimizer.zero_grad()
        trace.append(weight.item())
    assert descend(train(**settings)) == pytest.approx(trace, rel=1e-5)


def rates(**changes):
    """The rate of each of ten updates in two epochs of five, from the descent itself."""
    trace = [1.0, *descend(train(**changes), steps=10, total=10, per_epoch=5)]
    return [(before - after) / before for before, after in pairwise(trace)]


def test_schedules():
    assert rates() == pytest.approx([0.1] * 10)
    assert rates(schedule="linear") == pytest.approx(
        [0.1 * (1 - n / 10) for n in range(10)], rel=1e-3
    )
    assert rates(schedule="step") == pytest.approx([0.1] * 5 + [0.01] * 5, rel=1e-3)
    cosine = rates(schedule="cosine")
    assert cosine[0] == pytest.approx(0.1)
    assert cosine[5] == pytest.approx(0.05, rel=1e-3)
    assert sorted(cosine, reverse=True) == cosine
    warm = rates(warmup_steps=4)
    assert warm == pytest.approx([0.025, 0.05, 0.075, 0.1, *[0.1] * 6], rel=1e-3)


def test_every_name_that_the_schema_allows_is_known_here():
    assert set(optimizers.CLASSES) == set(optimizers.BUFFERS) == set(schemas.OPTIMIZERS)
    assert {*schedules.DECAYS, "step"} == set(schemas.SCHEDULES)


@pytest.mark.parametrize(
    ("key", "listed"), [("optimizer", "OPTIMIZERS"), ("schedule", "SCHEDULES")]
)
def test_a_name_of_the_schema_alone_trains_with_no_other_one(monkeypatch, key, listed):
    monkeypatch.setattr(schemas, listed, (*getattr(schemas, listed), "novel"))
    with pytest.raises(KeyError, match="novel"):
        descend(train(**{key: "novel"}))


def test_gradients_are_clipped():
    weight = nn.Parameter(torch.tensor([30.0, 40.0]))
    update = ScheduledOptimizerFactory(train(clip_norm=1.0), 1, 1)([("weight", weight)])
    (weight**2 / 2).sum().backward()
    update.apply(0)
    assert weight.tolist() == pytest.approx([30 - 0.06, 40 - 0.08])


def test_an_update_goes_on_from_its_state():
    settings = train(optimizer="adam", momentum=0.9, schedule="linear")
    whole = descend(settings, steps=5, total=10, per_epoch=10)
    weight = nn.Parameter(torch.ones(()))
    make = ScheduledOptimizerFactory(settings, 10, 10)
    update = make([("weight", weight)])
    for step in range(5):
        if step == 2:
            state = update.state_dict()
            update = make([("weight", weight)])
            update.load_state_dict(state)
        (weight**2 / 2).backward()
        update.apply(step)
    assert weight.item() == whole[-1]


def test_momentum_can_be_less_than_asked_for_but_not_below_zero():
    weight = nn.Parameter(torch.ones(()))
    make = ScheduledOptimizerFactory(train(momentum=0.9, nesterov=True), 10, 10)
    assert make([("weight", weight)], implicit_momentum=0.5).optimizer.defaults[
        "momentum"
    ] == pytest.approx(0.4)
    assert make([("weight", weight)], implicit_momentum=0.95).optimizer.defaults["momentum"] == 0


def test_the_schedule_follows_the_step_it_is_told():
    weight = nn.Parameter(torch.ones(()))
    update = ScheduledOptimizerFactory(train(schedule="linear"), 10, 10)([("weight", weight)])
    weight.grad = torch.ones(())
    update.apply(5)
    assert weight.item() == pytest.approx(1 - 0.05)
