"""The estimate of the total momentum."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from baryon_comm.server.momentum import TotalMomentumEstimator


@pytest.mark.parametrize("momentum", [0.0, 0.4, 0.9])
def test_estimator_finds_the_momentum_of_plain_training(momentum):
    torch.manual_seed(1)
    weights = nn.Parameter(torch.randn(64))
    optimizer = torch.optim.SGD([weights], lr=0.05, momentum=momentum)
    estimator = TotalMomentumEstimator()
    for version in range(20):
        weights.grad = weights.detach() + 0.1
        estimator.before_update(weights.detach(), weights.grad, version)
        optimizer.step()
        update = SimpleNamespace(optimizer=optimizer)
        estimator.after_update(weights.detach(), version, version + 1, update)
    assert estimator.mean == pytest.approx(momentum, abs=0.02)


def test_of_a_layer_with_several_rates_there_is_no_estimate():
    weights = nn.Parameter(torch.randn(64))
    groups = [{"params": [weights]}, {"params": [nn.Parameter(torch.randn(2))], "lr": 0.01}]
    optimizer = torch.optim.SGD(groups, lr=0.05, momentum=0.5)
    estimator = TotalMomentumEstimator()
    for version in range(5):
        weights.grad = weights.detach() + 0.1
        estimator.before_update(weights.detach(), weights.grad, version)
        optimizer.step()
        update = SimpleNamespace(optimizer=optimizer)
        estimator.after_update(weights.detach(), version, version + 1, update)
    assert estimator.mean is None
