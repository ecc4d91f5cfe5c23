"""What a checkpoint says of random numbers."""

import pytest
import torch

from baryon.interfaces import DataShard
from baryon.training.rng import random_state, set_random_state, state_of_worker

CPU = torch.device("cpu")


def test_each_of_as_many_workers_goes_on_with_its_own_random_numbers():
    states, draws = [], []
    for seed in range(4):
        torch.manual_seed(seed)
        states.append(random_state(CPU))
        draws.append(torch.rand(3))
    shard = DataShard(group=1, num_groups=2, rank=0, group_size=2)
    set_random_state(state_of_worker(states, shard), CPU)
    assert torch.equal(torch.rand(3), draws[2])
    assert state_of_worker(states[:3], shard) is None


@pytest.mark.gpu
def test_on_the_gpu_its_generator_counts_too():
    """A step whose loss was not finite is done again with the dropout that it met."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    gpu = torch.device("cuda", torch.cuda.current_device())
    before = random_state(gpu)
    drawn = torch.rand(3, device=gpu)
    set_random_state(before, gpu)
    assert torch.equal(torch.rand(3, device=gpu), drawn)
