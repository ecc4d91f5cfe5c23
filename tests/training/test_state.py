"""What a checkpoint says of random numbers."""

from types import SimpleNamespace

import pytest
import torch

from baryon.interfaces import Share
from baryon.training.state import random_state, restore_random, set_random

CPU = torch.device("cpu")


def test_each_of_as_many_workers_goes_on_with_its_own_random_numbers():
    states, draws = [], []
    for seed in range(4):
        torch.manual_seed(seed)
        states.append(random_state(CPU))
        draws.append(torch.rand(3))
    comm = SimpleNamespace(share=Share(group=1, groups=2, member=0, members=2))
    assert restore_random(states, comm, CPU)
    assert torch.equal(torch.rand(3), draws[2])
    assert not restore_random(states[:3], comm, CPU)


@pytest.mark.gpu
def test_on_the_gpu_its_generator_counts_too():
    """A step whose loss was not finite is done again with the dropout that it met."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    gpu = torch.device("cuda", torch.cuda.current_device())
    before = random_state(gpu)
    drawn = torch.rand(3, device=gpu)
    set_random(before, gpu)
    assert torch.equal(torch.rand(3, device=gpu), drawn)
