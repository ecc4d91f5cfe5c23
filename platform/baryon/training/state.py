"""The whole state of a run between two steps: what a checkpoint holds."""

from __future__ import annotations

import torch

from baryon.interfaces import Communicator, Share

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
    set_random(states[share.group * share.members + share.member], device)
    return True


def set_random(random: Random, device: torch.device) -> None:
    """This process's generators go on from `random_state`."""
    torch.set_rng_state(random["cpu"])
    if device.type == "cuda" and "cuda" in random:
        torch.cuda.set_rng_state(random["cuda"], device)


def seed_worker(seed: int, step: int, share: Share) -> None:
    """Dropout differs from worker to worker; the first goes on as a process alone would."""
    if share != Share(0, share.groups, 0, share.members):
        torch.manual_seed(hash((seed, step, share.group, share.member)) % 2**63)
