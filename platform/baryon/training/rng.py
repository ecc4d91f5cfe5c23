"""Save, restore and seed the random generators of a process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch

from baryon.interfaces import DataShard

T = TypeVar("T")
RandomState = dict[str, torch.Tensor]
"""State of PyTorch's generators by kind of device, "cpu" and perhaps "cuda"."""


def random_state(device: torch.device) -> RandomState:
    """Return the state of this process's generators."""
    state = {"cpu": torch.get_rng_state()}
    return state | {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else state


def set_random_state(state: RandomState, device: torch.device) -> None:
    """Let this process's generators go on from a state that `random_state` returned."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)


def state_of_worker(states: Sequence[T], shard: DataShard) -> T | None:
    """Return a worker's entry among those of all workers of a checkpoint.

    None if the checkpoint was written by more or fewer workers than there are now.
    """
    if len(states) != shard.num_groups * shard.group_size:
        return None
    return states[shard.group * shard.group_size + shard.rank]


def seed_worker(seed: int, step: int, shard: DataShard) -> None:
    """Seed the generators so that dropout differs from worker to worker.

    The first worker is left as it is: it draws what a process alone would draw.
    """
    if shard != DataShard(0, shard.num_groups, 0, shard.group_size):
        torch.manual_seed(hash((seed, step, shard.group, shard.rank)) % 2**63)
