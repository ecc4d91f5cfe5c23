"""The order in which a group's members post the broadcasts of a step's layers."""

from types import SimpleNamespace

import pytest
import torch

from baryon_comm.gradients.bucket import buckets_for
from baryon_comm.gradients.layer import split_into_layers
from baryon_comm.group.transport import BrokenGroupError
from baryon_comm.mpi.layout import Layout
from baryon_comm.server.staleness import StalenessPolicy
from baryon_comm.strategy.base import StrategyContext
from baryon_comm.strategy.parameter_server import ParameterServerStrategy


class ScriptedGroup:
    """As a member that is not the root sees it: sums end, or fail, when they are told to."""

    rank = 1

    def __init__(self):
        self.summed, self.dead, self.posted = set(), False, []

    def __len__(self):
        return 2

    def mean_on_root(self, own, total, expected):
        while own.layer.index not in self.summed:
            if self.dead:
                raise BrokenGroupError
            yield

    def broadcast(self, bucket, root=0):
        self.posted.append(bucket.layer.index)
        yield


class Exchanges:
    """A worker's exchanges of three layers, advanced by hand as the progress engine does."""

    def __init__(self):
        model = torch.nn.Sequential(*[torch.nn.Linear(2, 2) for _ in range(3)])
        layers, parameters = split_into_layers(model)
        self.group = ScriptedGroup()
        world = SimpleNamespace(rank=1, tolerant=True, messages=None)
        context = StrategyContext(
            world=world,
            layout=Layout(1, 2, 1),
            group=self.group,
            group_gather=None,
            engine=None,
            timeout=None,
            model=model,
            layers=layers,
            parameters=parameters,
            is_leader=lambda: False,
        )
        self.strategy = ParameterServerStrategy(
            StalenessPolicy("plain", 0.0, 1), momentum_correction=False
        )
        self.strategy.start(context, None)
        self._gradients = buckets_for(layers, parameters)

    def submit(self):
        self.strategy.begin(0, stop=False)
        self._tasks = [self.strategy.exchange_bucket(g, 0, None) for g in self._gradients]

    def move(self):
        """All tasks once; the errors of those that fail."""
        errors = []
        for task in list(self._tasks):
            try:
                next(task)
            except StopIteration:
                self._tasks.remove(task)
            except BrokenGroupError as error:
                self._tasks.remove(task)
                errors.append(error)
        return errors


@pytest.fixture
def exchanges():
    exchanges = Exchanges()
    exchanges.submit()
    return exchanges


def test_layers_are_posted_in_order_whichever_sum_ends_first(exchanges):
    for layer in (2, 1, 0):
        exchanges.group.summed = {*exchanges.group.summed, layer}
        assert not exchanges.move()
    exchanges.move()
    assert exchanges.group.posted == [0, 1, 2]


def test_they_are_posted_in_order_again_when_the_step_is_repeated(exchanges):
    group = exchanges.group
    group.summed = {0, 1}
    exchanges.move()
    assert group.posted == [0, 1]
    group.dead, group.summed, group.posted = True, set(), []
    exchanges.move()
    group.dead = False
    exchanges.submit()
    group.summed = {1}
    exchanges.move()
    assert group.posted == []
    group.summed = {0, 1, 2}
    exchanges.move()
    exchanges.move()
    assert group.posted == [0, 1, 2]


def test_nobody_waits_for_the_turn_of_a_layer_that_has_failed(exchanges):
    exchanges.group.summed = {1, 2}
    assert not exchanges.move()
    exchanges.group.dead = True
    assert len(exchanges.move()) == 3
    assert exchanges.group.posted == []
