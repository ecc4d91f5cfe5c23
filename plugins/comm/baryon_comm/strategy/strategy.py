"""What a strategy is: what becomes of a group's gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from baryon.interfaces import Findings, UpdateFactory
from baryon_comm.group.group import Group
from baryon_comm.layers.layer import Layer, Packet
from baryon_comm.world.courier import Courier, Patience, Task
from baryon_comm.world.layout import Layout
from baryon_comm.world.world import World


@dataclass
class Team:
    """What a strategy works with on a worker."""

    world: World
    layout: Layout
    group: Group
    courier: Courier
    patience: Patience
    model: torch.nn.Module
    layers: list[Layer]
    parameters: list[list[torch.nn.Parameter]]
    leads: Callable[[], bool]
    """Whether this worker leads all others now."""


class Strategy(Protocol):
    """What becomes of a group's gradient. Tasks are done by the courier."""

    survives: bool
    """Whether it can go on when a worker has died."""
    averages_gradients: bool
    """Whether the members of a group average their gradients at every step."""

    def start(self, team: Team, update: UpdateFactory) -> None:
        """Before the first step; all workers hold the same weights."""
        ...

    def begin(self, step: int, *, stop: bool) -> None:
        """A step begins, or begins again after a death; nothing is under way."""
        ...

    def exchange(self, gradient: Packet, step: int, expected: float | None) -> Task:
        """What becomes of a layer's packed gradient; see `Group.mean` for `expected`."""
        ...

    def finish(self, step: int, gradients: list[Packet]) -> None:
        """When all exchanges have ended: make the weights those of the next step."""
        ...

    def stops(self, step: int, gradients: list[Packet]) -> bool:
        """Whether all workers stop after this step, which was exchanged."""
        ...

    def in_step(self, step: int) -> bool:
        """Whether the members of a group hold the same weights after this step."""
        ...

    def caught_up(self, root: int) -> Task:
        """After a death: member `root` has finished the step; all members take its weights."""
        ...

    def settle(self) -> Task:
        """On all workers: the leader's model, at least, comes to hold the weights for all.

        Gives the leader's notes for `settled`; None says that all have the same weights already.
        """
        ...

    def settled(self, notes: Any) -> None:
        """On all workers: the model now holds the leader's weights."""
        ...

    def state(self) -> Task:
        """On the leader: the communicator's state."""
        ...

    def load(self, state: Mapping[str, Any]) -> Task:
        """Go on from a state, on every worker; the model holds its weights."""
        ...

    def awaited(self) -> set[int]:
        """Other ranks, outside the group, that have not answered yet."""
        ...

    def measures(self) -> dict[str, float]:
        """What was measured since the last call."""
        ...

    def findings(self) -> Task:
        """On the leader: what there is to say of the whole run."""
        ...


def nothing(value: Any = None) -> Task:
    """A task that has ended."""
    return value
    yield


NO_FINDINGS = Findings()
