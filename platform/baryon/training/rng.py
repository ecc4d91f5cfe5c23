"""The whole state of a run between two steps: what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch

from baryon.interfaces import DataShard

T = TypeVar("T")
Random = dict[str, torch.Tensor]


def random_state(device: torch.device) -> Random:
    """Of this process's generators."""
    state = {"cpu": torch.get_rng_state()}
    return state | {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else state


def own(states: Sequence[T], shard: DataShard) -> T | None:
    """Return a worker's own of all workers' states; None if there were more or fewer workers."""
    if len(states) != shard.num_groups * shard.group_size:
        return None
    return states[shard.group * shard.group_size + shard.rank]


def set_random(random: Random, device: torch.device) -> None:
    """This process's generators go on from `random_state`."""
    torch.set_rng_state(random["cpu"])
    if device.type == "cuda" and "cuda" in random:
        torch.cuda.set_rng_state(random["cuda"], device)


def seed_worker(seed: int, step: int, shard: DataShard) -> None:
    """Dropout differs from worker to worker; the first goes on as a process alone would."""
    if shard != DataShard(0, shard.num_groups, 0, shard.group_size):
        torch.manual_seed(hash((seed, step, shard.group, shard.rank)) % 2**63)
