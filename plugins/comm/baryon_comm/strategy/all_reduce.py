"""Strategy of `sync`: every worker applies the mean gradient of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from baryon.interfaces import Update, UpdateFactory
from baryon_comm.group.group import has_gradient
from baryon_comm.layers.layer import STOP, Packet
from baryon_comm.layers.optimizer_state import by_name, in_order
from baryon_comm.strategy.strategy import NO_FINDINGS, Team, nothing
from baryon_comm.world.courier import Task


class AllReduce:
    """The optimiser and its state are on every worker, the same on all."""

    survives = False
    averages_gradients = True

    _team: Team
    _update: Update

    def start(self, team: Team, update: UpdateFactory) -> None:
        """Take all parameters under one optimiser."""
        self._team = team
        self._update = update(team.model.parameters())

    def begin(self, step: int, *, stop: bool) -> None:
        """Nothing to prepare."""

    def exchange(self, gradient: Packet, step: int, expected: float | None) -> Task:
        """The mean over the group."""
        del step
        yield from self._team.group.mean(gradient, gradient, expected)

    def finish(self, step: int, gradients: list[Packet]) -> None:
        """Apply the mean gradients."""
        for own, packet in zip(self._team.parameters, gradients, strict=True):
            present = has_gradient(packet)
            for parameter, gradient in zip(own, packet.parameters, strict=True):
                parameter.grad = gradient if present else None
        self._update.apply(step)

    def stops(self, step: int, gradients: list[Packet]) -> bool:
        """If any worker asked for it."""
        del step
        return bool(gradients[0].tail[STOP] > 0)

    def in_step(self, step: int) -> bool:
        """Always."""
        del step
        return True

    def caught_up(self, root: int) -> Task:
        """Not needed: it does not survive."""
        del root
        return nothing()

    def settle(self) -> Task:
        """All have the same weights as it is."""
        return nothing()

    def settled(self, notes: Any) -> None:
        """Nothing to note."""

    def state(self) -> Task:
        """The optimiser's."""
        return nothing({"optimizer": by_name(self._team.model, self._update)})

    def load(self, state: Mapping[str, Any]) -> Task:
        """Into this worker's optimiser."""
        self._update.load_state_dict(in_order(self._team.model, state["optimizer"]))
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
