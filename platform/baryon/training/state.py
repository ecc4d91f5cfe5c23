"""The whole state of a run between two steps: what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from baryon.errors import BaryonError
from baryon.interfaces import Communicator, Share
from baryon.training.parts import Parts

Random = dict[str, torch.Tensor]


def random_state(device: torch.device) -> Random:
    """Of this process's generators."""
    state = {"cpu": torch.get_rng_state()}
    return state | {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else state


def restore_random(states: list[Random], comm: Communicator, device: torch.device) -> bool:
    """Each of as many workers goes on with its own; False if their number is another."""
    share = comm.share
    if len(states) != share.groups * share.members:
        return False
    own = states[share.group * share.members + share.member]
    torch.set_rng_state(own["cpu"])
    if device.type == "cuda" and "cuda" in own:
        torch.cuda.set_rng_state(own["cuda"], device)
    return True


def seed_worker(seed: int, step: int, share: Share) -> None:
    """Dropout differs from worker to worker; the first goes on as a process alone would."""
    if share != Share(0, share.groups, 0, share.members):
        torch.manual_seed(hash((seed, step, share.group, share.member)) % 2**63)


def data_state(parts: Parts) -> dict[str, Any]:
    """Which data the run has learnt from."""
    return {name: split.fingerprint() for name, split in parts.dataset.splits.items()}


def require_same_data(parts: Parts, state: Mapping[str, Any], path: object) -> None:
    """Raise `BaryonError` if the training data changed since the checkpoint."""
    now = data_state(parts)
    for name in state:
        if name in now and now[name] != state[name]:
            raise BaryonError(
                f"split {name!r} has changed since {path} was written (fingerprint {now[name]}, "
                f"then {state[name]}): the order of samples could not go on; start a new run"
            )
