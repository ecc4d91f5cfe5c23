"""Strategy of `local_sgd`: every worker trains by itself, now and then all meet (DiLoCo).

After `every` steps, the mean over all workers of how far each has gone is a gradient for an outer
SGD with Nesterov momentum (arXiv:2311.08105); with an outer rate of 1 and no outer momentum this
is plain averaging of the weights (arXiv:1805.09767).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from baryon.errors import BaryonError
from baryon.interfaces import Update, UpdateFactory
from baryon_comm.layers.layer import STOP, Packet, packets_for
from baryon_comm.layers.optimizer_state import averaged, by_name, in_order, on_cpu
from baryon_comm.strategy.strategy import NO_FINDINGS, Team, nothing
from baryon_comm.world.courier import Task

OUTER = "outer_momentum"


@dataclass(frozen=True)
class Outer:
    """When and how all meet. Raises `BaryonError` for values that make no sense."""

    every: int
    learning_rate: float
    momentum: float

    def __post_init__(self) -> None:
        if self.every < 1:
            raise BaryonError(f"comm.every={self.every} must be above 0")
        if self.learning_rate <= 0:
            raise BaryonError(f"comm.outer_learning_rate={self.learning_rate} must be above 0")
        if not 0 <= self.momentum < 1:
            raise BaryonError(f"comm.outer_momentum={self.momentum} must be in [0, 1)")


class LocalSgd:
    """The inner optimiser is each worker's own, the outer one is the same on all."""

    survives = False
    averages_gradients = False

    _team: Team
    _update: Update

    def __init__(self, outer: Outer) -> None:
        self._outer = outer
        self._since = 0
        self._asked = self._stop = False
        self._start: list[Packet] = []
        self._moved: list[Packet] = []
        self._velocity: list[torch.Tensor] = []

    def start(self, team: Team, update: UpdateFactory) -> None:
        """All start from the same weights."""
        self._team = team
        self._update = update(team.model.parameters())
        self._start = packets_for(team.layers, team.parameters)
        self._moved = packets_for(team.layers, team.parameters)
        self._velocity = [torch.zeros_like(packet.values) for packet in self._start]
        self._note_start()

    def _note_start(self) -> None:
        with torch.no_grad():
            for own, packet in zip(self._team.parameters, self._start, strict=True):
                torch._foreach_copy_(packet.parameters, [p.data for p in own])

    def begin(self, step: int, *, stop: bool) -> None:
        """A stop waits for the next meeting."""
        del step
        self._asked = self._asked or stop

    def exchange(self, gradient: Packet, step: int, expected: float | None) -> Task:
        """Gradients stay at home."""
        del gradient, step, expected
        return nothing()

    def finish(self, step: int, gradients: list[Packet]) -> None:
        """A step of one's own; a meeting when it is time."""
        del gradients
        self._update.apply(step)
        self._since += 1
        if (step + 1) % self._outer.every == 0:
            self._team.courier.do(
                self._meet(), f"step {step + 1}: the meeting", self._team.patience
            )

    def _meet(self) -> Task:
        """The outer step: the mean of all moves is its gradient."""
        team, workers = self._team, len(self._team.group)
        for own, start, moved in zip(team.parameters, self._start, self._moved, strict=True):
            for place, before, parameter in zip(
                moved.parameters, start.parameters, own, strict=True
            ):
                torch.sub(before, parameter.data, out=place)
            moved.tail[STOP] = float(self._asked)
            moved.beside.packed()
        for moved in self._moved:
            yield from team.group.sum(moved, moved)
        self._stop = bool(self._moved[0].tail[STOP] > 0)
        self._since = 0
        for start, moved, velocity in zip(self._start, self._moved, self._velocity, strict=True):
            self._outer_step(start.values, moved.values.div_(workers), velocity)
        for own, start in zip(team.parameters, self._start, strict=True):
            torch._foreach_copy_([p.data for p in own], start.parameters)

    def _outer_step(
        self, weights: torch.Tensor, gradient: torch.Tensor, velocity: torch.Tensor
    ) -> None:
        """SGD with Nesterov momentum, in place."""
        momentum, rate = self._outer.momentum, self._outer.learning_rate
        velocity.mul_(momentum).add_(gradient)
        weights.sub_(gradient.add(velocity, alpha=momentum), alpha=rate)

    def stops(self, step: int, gradients: list[Packet]) -> bool:
        """At a meeting where any worker asked for it."""
        del gradients
        return self._stop and (step + 1) % self._outer.every == 0

    def in_step(self, step: int) -> bool:
        """At meetings."""
        return (step + 1) % self._outer.every == 0

    def caught_up(self, root: int) -> Task:
        """Not needed: it does not survive."""
        del root
        return nothing()

    def settle(self) -> Task:
        """Meet, if any step was made since; average the inner optimisers."""
        if self._since:
            yield from self._meet()
        own = [on_cpu(state) for state in self._update.state_dict()["parameters"]]
        everyone = yield from self._team.group.circle.gather(own)
        mean = [averaged(states) for states in zip(*everyone, strict=True)]
        self._update.load_state_dict({"parameters": mean})

    def settled(self, notes: Any) -> None:
        """Nothing to note."""

    def state(self) -> Task:
        """The inner optimiser's, averaged, and the outer one's."""
        outer = {}
        for packet, velocity in zip(self._start, self._velocity, strict=True):
            for piece in packet.layer.pieces:
                place = velocity.as_strided(piece.shape, piece.strides, piece.offset)
                outer[piece.name] = place.clone()
        return nothing({"optimizer": by_name(self._team.model, self._update), OUTER: outer})

    def load(self, state: Mapping[str, Any]) -> Task:
        """Another strategy's state has no outer momentum: it starts from rest."""
        self._update.load_state_dict(in_order(self._team.model, state["optimizer"]))
        self._note_start()
        self._since = 0
        for packet, velocity in zip(self._start, self._velocity, strict=True):
            velocity.zero_()
            for piece in packet.layer.pieces:
                place = velocity.as_strided(piece.shape, piece.strides, piece.offset)
                if piece.name in state.get(OUTER, {}):
                    place.copy_(state[OUTER][piece.name])
        return nothing()

    def awaited(self) -> set[int]:
        """None."""
        return set()

    def measures(self) -> dict[str, float]:
        """None of its own."""
        return {}

    def findings(self) -> Task:
        """None of its own."""
        return nothing(NO_FINDINGS)
