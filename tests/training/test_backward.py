"""The gradient of a batch, whole and in micro-batches, and a loss that is not finite."""

import pickle

import pytest
import torch
from torch import nn

from baryon.training.backward import Gradient, NotFiniteError
from baryon.training.metrics.stopwatch import HostClock, Stopwatch
from baryon.training.model_runner import ModelRunner
from baryon.training.optimizers import ScheduledOptimizerFactory

SAMPLES = 10


def batch(count=SAMPLES):
    random = torch.Generator().manual_seed(3)
    return {
        "inputs": torch.randn(count, 4, generator=random),
        "target": torch.randn(count, 2, generator=random),
        "keys": torch.arange(count),
    }


def loss(output, here):
    squared = (output - here["target"]).square()
    return {"first": squared[:, 0].mean(), "second": squared[:, 1].mean()}


@pytest.fixture
def runner(train):
    def build(**changes):
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
        return ModelRunner(model, train(**changes))

    return build


def gradient(learner, *, skips=False, own_loss=loss):
    return Gradient(learner, own_loss, Stopwatch(HostClock()), skips=skips)


@pytest.mark.parametrize("micro_batch", [1, 3, 4, 5, 9, 10, 99])
def test_micro_batches_give_the_mean_over_all_samples(runner, micro_batch):
    whole, components = runner(), runner()
    terms = gradient(whole).compute(batch())
    split = gradient(components)
    split.micro_batch = micro_batch
    found = split.compute(batch())
    assert {name: float(term) for name, term in found.items()} == pytest.approx(
        {name: float(term) for name, term in terms.items()}, rel=1e-5
    )
    for one, other in zip(whole.model.parameters(), components.model.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, rtol=1e-5, atol=1e-7)


def test_a_hook_sees_each_parameter_once_with_its_complete_gradient(runner):
    """What the communicators rest on: gradients leave through these hooks."""
    learner, seen, begun = runner(), [], []
    for name, parameter in learner.model.named_parameters():
        parameter.register_post_accumulate_grad_hook(
            lambda p, name=name: seen.append((name, p.grad.clone(), len(begun)))
        )
    split = gradient(learner)
    split.micro_batch = 3
    forward = split.forward(batch())
    assert not seen
    begun.append(True)
    split.backward(forward)
    reference = runner()
    gradient(reference).compute(batch())
    expected = dict(reference.model.named_parameters())
    assert sorted(name for name, _, _ in seen) == sorted(expected)
    for name, found, already_begun in seen:
        assert torch.allclose(found, expected[name].grad, rtol=1e-5, atol=1e-7)
        assert already_begun == 1


def test_a_parameter_that_only_some_micro_batches_reach(train):
    class Sometimes(nn.Module):
        def __init__(self):
            super().__init__()
            self.always, self.rare = nn.Linear(4, 2), nn.Linear(4, 2)

        def forward(self, x):
            return self.always(x) + (self.rare(x) if x[0, 0] > 0 else 0)

    torch.manual_seed(1)
    learner = ModelRunner(Sometimes(), train())
    here = batch(4)
    here["inputs"][:, 0] = torch.tensor([1.0, 1.0, -1.0, -1.0])
    split = gradient(learner)
    split.micro_batch = 2
    split.compute(here)
    assert learner.model.rare.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("micro_batch", [None, 4])
def test_a_loss_that_is_not_finite_is_known_before_the_step_or_after_backward(runner, micro_batch):
    here, begun = batch(), []
    here["target"][-1] = float("nan")
    for skips, times in ((True, 0), (False, 1)):
        begun.clear()
        one = gradient(runner(), skips=skips)
        one.micro_batch = micro_batch

        def step(one=one):
            forward = one.forward(here)
            begun.append(True)
            one.backward(forward)

        with pytest.raises(NotFiniteError) as error:
            step()
        assert len(begun) == times
        assert str(error.value.terms["first"]) == "nan"


def test_updates_travel_without_their_stopwatch(train):
    updates = ScheduledOptimizerFactory(train(), 5, 5, Stopwatch(HostClock()))
    assert pickle.loads(pickle.dumps(updates)) == ScheduledOptimizerFactory(train(), 5, 5)  # noqa: S301
