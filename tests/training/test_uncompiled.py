"""What is not compiled starts without the compiler."""

import json
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from baryon.training.metrics.flop_count import counting
from baryon.training.uncompiled import uncompiled

KINDS = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW)

SCRIPT = """
import json, sys
import torch
from baryon.training.metrics.flop_count import counting
from baryon.training.uncompiled import uncompiled

for kind in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW):
    weights = torch.ones(3, 3, requires_grad=True)
    optimizer = uncompiled(kind)([weights], lr=0.1, fused=True)
    result, operations = counting(lambda: (weights @ weights).sum(), 1)
    result.backward()
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.zero_grad()
print(json.dumps(["torch._dynamo" in sys.modules, operations.per_sample]))
"""


def test_the_compiler_is_not_imported():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True
    )
    assert json.loads(done.stdout) == [False, 2 * 3**3]


@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_are_the_same_to_the_bit(kind):
    weights = []
    for optimizer in (kind, uncompiled(kind)):
        torch.manual_seed(1)
        model = nn.Linear(5, 3)
        update = optimizer(model.parameters(), lr=0.1, fused=True)
        for _ in range(4):
            (model(torch.randn(7, 5)) ** 2).sum().backward()
            update.step()
            update.zero_grad()
        weights.append(nn.utils.parameters_to_vector(model.parameters()))
    assert isinstance(update, kind)
    assert torch.equal(*weights)


def test_the_operations_are_those_that_torch_counts():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
    images = torch.randn(2, 3, 8, 8)

    def work():
        model(images).sum().backward()

    with FlopCounterMode(display=False) as counter:
        work()
    assert counting(work, 1)[1].per_sample == counter.get_total_flops() > 0
