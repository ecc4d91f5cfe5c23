"""What a checkpoint says of random numbers and data."""

from types import SimpleNamespace

import pytest
import torch

from baryon.errors import BaryonError
from baryon.interfaces import Share
from baryon.training.state import random_state, require_same_data, restore_random

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


def test_data_that_changed_since_the_checkpoint():
    def parts(**prints):
        splits = {
            name: SimpleNamespace(fingerprint=lambda text=text: text)
            for name, text in prints.items()
        }
        return SimpleNamespace(dataset=SimpleNamespace(splits=splits))

    require_same_data(parts(train="a", val="b"), {"train": "a"}, "last.pt")
    with pytest.raises(BaryonError, match=r"split 'train' has changed since last\.pt was written"):
        require_same_data(parts(train="c"), {"train": "a"}, "last.pt")
