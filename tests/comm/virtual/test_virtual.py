"""Groups in virtual time: the mechanism of `hybrid`, in one process, the same to the bit."""

from collections import Counter

import pytest
import torch
from torch import nn

from baryon.errors import BaryonError
from baryon.launch.environment import ClusterEnvironment
from baryon_comm.serial import Serial
from baryon_comm.virtual import virtual as module
from baryon_comm.virtual.virtual import virtual

OPTIONS = {
    "machine": "cori_knl",
    "network": "hep_cnn",
    "workers": 64,
    "groups": 4,
    "servers": 6,
    "samples": 8,
    "seed": 1,
    "momentum_correction": False,
    "staleness_policy": "plain",
    "compensation": 0.04,
    "max_staleness": 8,
}


class Sgd:
    """Plain SGD of some parameters, which notes the implicit momentum that it was told."""

    told = 0.0

    def __init__(self, named, implicit_momentum=0.0):
        Sgd.told = implicit_momentum
        self.optimizer = torch.optim.SGD([p for _, p in named], lr=0.05)

    def apply(self, step):
        self.optimizer.step()
        self.optimizer.zero_grad()

    def state_dict(self):
        count = len(self.optimizer.param_groups[0]["params"])
        return {"parameters": [{} for _ in range(count)]}

    def load_state_dict(self, state):
        pass


def build():
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1))


def train(comm, steps, model=None, first=0, started=False):
    """Train on a batch for each step, and return the model."""
    model = model or build()
    if not started:
        comm.start(model, Sgd)
    for step in range(first, first + steps):
        random = torch.Generator().manual_seed(step)
        inputs = torch.randn(8, 5, generator=random)
        comm.begin(step, 8, 8, stop=False)
        (model(inputs) - inputs[:, :1]).square().mean().backward()
        comm.step()
    return model


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("servers", [0, 1])
def test_one_group_is_one_process(servers):
    comm = virtual(**OPTIONS | {"groups": 1, "servers": servers})
    alone = Serial()
    assert torch.equal(weights(train(comm, 20)), weights(train(alone, 20)))
    assert comm.metrics()["staleness"] == 0


def test_equal_seeds_give_equal_weights_to_the_bit_and_others_do_not():
    first, second = (train(virtual(**OPTIONS), 60) for _ in range(2))
    assert torch.equal(weights(first), weights(second))
    other = train(virtual(**OPTIONS | {"seed": 2}), 60)
    assert not torch.equal(weights(first), weights(other))


def test_a_group_computes_with_the_weights_that_it_was_given():
    comm, model = virtual(**OPTIONS), build()
    comm.start(model, Sgd)
    given = {group: weights(model).clone() for group in range(4)}
    for step in range(40):
        group = comm._schedule.group
        assert torch.equal(weights(model), given[group])
        train(comm, 1, model, step, started=True)
        latest = [values for state in comm._layers for values in state.parameters]
        names = [view.name for state in comm._layers for view in state.layer.views]
        by_name = dict(zip(names, latest, strict=True))
        given[group] = torch.cat(
            [by_name[name].detach().flatten().clone() for name, _ in model.named_parameters()]
        )


@pytest.mark.parametrize("groups", [2, 4, 8])
def test_a_gradient_misses_the_updates_of_the_other_groups(groups):
    comm = virtual(**OPTIONS | {"groups": groups})
    train(comm, 40 * groups)
    missed = Counter(comm._layers[0].staleness)
    assert sum(missed.values()) == 40 * groups
    mean = sum(value * count for value, count in missed.items()) / missed.total()
    assert mean == pytest.approx(groups - 1, rel=0.06)
    assert comm.metrics()["staleness"] == pytest.approx(mean)


def test_virtual_time_is_that_of_the_machine():
    comm = virtual(**OPTIONS)
    train(comm, 160)
    # 40 steps of each of 4 groups of 16 nodes, between a lone node's 57 ms and a late group's.
    seconds = comm.metrics()["virtual_seconds"]
    assert 40 * 0.057 < seconds < 40 * 0.120
    assert comm.summary().metrics["virtual_seconds"] == seconds


def test_momentum_correction_takes_off_what_the_groups_bring():
    train(virtual(**OPTIONS | {"momentum_correction": True}), 1)
    assert Sgd.told == 0.75
    train(virtual(**OPTIONS), 1)
    assert Sgd.told == 0.0


def test_a_staleness_policy_is_that_of_real_servers():
    comm = virtual(**OPTIONS | {"staleness_policy": "ringmaster", "max_staleness": 2})
    train(comm, 100)
    assert comm._layers[0].dropped > 0
    assert comm.summary().metrics["dropped_gradients"] > 0


def test_where_all_meet_the_model_has_the_servers_weights_and_nobody_is_behind():
    comm, model = virtual(**OPTIONS), build()
    train(comm, 10, model)
    comm.synchronize()
    latest = [values for state in reversed(comm._layers) for values in state.parameters]
    assert torch.equal(weights(model), torch.cat([v.detach().flatten() for v in latest]))
    comm.metrics()
    train(comm, 1, model, 10, started=True)
    assert comm.metrics()["staleness"] == 0


def test_a_resumed_run_goes_on_to_the_same_weights():
    whole, model = virtual(**OPTIONS), build()
    train(whole, 30, model)
    whole.synchronize()
    state = whole.state_dict()
    saved = {name: value.clone() for name, value in model.state_dict().items()}
    train(whole, 30, model, 30, started=True)

    again, other = virtual(**OPTIONS), build()
    again.start(other, Sgd)
    other.load_state_dict(saved)
    again.load_state_dict(state)
    train(again, 30, other, 30, started=True)
    assert torch.equal(weights(model), weights(other))
    assert again.metrics()["virtual_seconds"] == whole.metrics()["virtual_seconds"]


def test_a_checkpoint_of_another_communicator_is_taken_up():
    comm, model = virtual(**OPTIONS), build()
    comm.start(model, Sgd)
    comm.load_state_dict({"optimizer": {}})
    assert comm.metrics()["virtual_seconds"] == 0


def test_a_step_without_samples_changes_nothing():
    comm, model = virtual(**OPTIONS), build()
    comm.start(model, Sgd)
    before = weights(model).clone()
    comm.begin(0, 0, 8, stop=True)
    assert comm.step() is True
    comm.synchronize()
    assert torch.equal(weights(model), before)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"groups": 3}, "groups=3 do not fit nodes=64"),
        ({"servers": 0}, "give servers=1 or more"),
        ({"servers": 7}, "more than the 6 layers"),
        ({"machine": "cori"}, "did you mean 'cori_knl'"),
        ({"network": "resnet"}, "no network 'resnet' is described"),
        ({"staleness_policy": "late"}, "is not known"),
    ],
)
def test_a_job_that_cannot_be_is_refused(options, says):
    with pytest.raises(BaryonError, match=says):
        virtual(**OPTIONS | options)


def test_several_processes_are_refused(monkeypatch):
    several = ClusterEnvironment(0, 4, "Open MPI's mpiexec")
    monkeypatch.setattr(module, "cluster_environment", lambda: several)
    with pytest.raises(BaryonError, match=r"comm=virtual is one process.* started 4"):
        virtual(**OPTIONS)
