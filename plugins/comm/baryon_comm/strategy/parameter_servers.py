"""Strategy of `async` and `hybrid`: parameter servers apply each group's gradient.

The optimiser and its state are on the servers alone. A layer's round trip runs while backward is
still busy with the layers before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from baryon.interfaces import UpdateFactory
from baryon_comm.layers.layer import NEVER, SERVER, STALENESS, STOP_AT, VERSION, Packet
from baryon_comm.server.link import Link
from baryon_comm.server.placement import Placement
from baryon_comm.server.protocol import FETCH, LOAD, REPORT, SET_UP, STATE, SetUp
from baryon_comm.server.remedies import Remedy
from baryon_comm.strategy.server_findings import server_findings
from baryon_comm.strategy.strategy import Team
from baryon_comm.strategy.turns import Turns
from baryon_comm.world.courier import Task

Origin = tuple[int, ...]
"""A layer's version, and the server that it came from."""


class ParameterServers:
    """Group members sum, the root asks the layer's server, the root spreads what comes back."""

    survives = True
    averages_gradients = True

    _team: Team

    def __init__(self, remedy: Remedy, *, momentum_correction: bool) -> None:
        self._remedy, self._correct = remedy, momentum_correction
        self._held: list[Packet] = []
        self._fresh: list[Packet] = []
        self._sums: dict[int, Packet] = {}
        self._came: list[int] = []
        self._turns = Turns()
        self._staleness: list[list[int]] = []
        self._version_before, self._steps = 0, 0

    def start(self, team: Team, update: UpdateFactory) -> None:
        """Tell the servers what they need to know."""
        self._team = team
        self._placement = Placement(team.layers, list(team.layout.server_ranks()))
        pinned = team.parameters[0][0].device.type == "cuda"
        self._held = [Packet(layer, pinned=pinned) for layer in team.layers]
        self._fresh = [Packet(layer, pinned=pinned) for layer in team.layers]
        self._came = [NEVER] * len(team.layers)
        for packet in self._held:
            packet.header[STOP_AT] = NEVER
        self.settled([(0, self._placement.server_of(layer.index)) for layer in team.layers])
        group = team.layout.group_of(team.world.rank)
        self._link = Link(team.world, self._placement, group, lambda layer: self._held[layer])
        if team.leads():
            team.courier.do(self._set_up(update), "setting up the servers", team.patience)

    def _set_up(self, update: UpdateFactory) -> Task:
        layout = self._team.layout
        for server in layout.server_ranks():
            weights = {n: self._held[n].values for n in self._placement.layers_of(server)}
            setup = SetUp(
                self._team.layers, update, self._momentum_less(), self._remedy, layout, weights
            )
            yield from self._link.ask(server, SET_UP, setup)

    def _momentum_less(self) -> float:
        """G groups bring an implicit momentum of 1 - 1/G (arXiv:1605.09774)."""
        return 1 - 1 / self._team.layout.groups if self._correct else 0.0

    def begin(self, step: int, *, stop: bool) -> None:
        """The first layer is the first to be spread."""
        del step, stop
        self._turns = Turns()

    def exchange(self, gradient: Packet, step: int, expected: float | None) -> Task:
        """Sum in the group, server's round trip, spread in the group; in fixed order."""
        turns = self._turns
        with turns.kept():
            yield from self._learn(gradient, step, expected)
            layer = gradient.layer.index
            yield from turns.wait_for(layer)
            for _ in self._team.group.spread(self._fresh[layer]):
                turns.posted(layer)
                yield
            turns.posted(layer)

    def _learn(self, gradient: Packet, step: int, expected: float | None) -> Task:
        """On the root: the group's gradient, then the server's answer, unless it came already."""
        group, layer = self._team.group, gradient.layer.index
        total = self._total(gradient)
        yield from group.mean_on_root(gradient, total, expected)
        if group.member == 0 and self._came[layer] < step:
            yield from total.to_host()
            stop_at = int(self._held[layer].header[STOP_AT])
            yield from self._link.round_trip(total, self._fresh[layer], step, stop_at)
            self._came[layer] = step

    def _total(self, gradient: Packet) -> Packet:
        """Where a group's sum goes; it is made again from the gradients if a member dies."""
        if len(self._team.group) == 1:
            return gradient
        layer = gradient.layer.index
        if layer not in self._sums:
            self._sums[layer] = gradient.another()
        return self._sums[layer]

    def finish(self, step: int, gradients: list[Packet]) -> None:
        """The fresh weights become the model's."""
        del step, gradients
        self._held, self._fresh = self._fresh, self._held
        self._steps += 1
        self._staleness.append([int(packet.header[STALENESS]) for packet in self._held])
        self._into_model()

    def _into_model(self) -> None:
        """On a CPU the model computes with what came, where it lies; a device gets a copy."""
        for own, packet in zip(self._team.parameters, self._held, strict=True):
            if own[0].device.type == "cpu":
                for parameter, place in zip(own, packet.parameters, strict=True):
                    parameter.data = place
            else:
                torch._foreach_copy_([p.data for p in own], packet.parameters)

    def stops(self, step: int, gradients: list[Packet]) -> bool:
        """When the step has come that the first layer's server has named."""
        del gradients
        return int(self._held[0].header[STOP_AT]) == step

    def in_step(self, step: int) -> bool:
        """Always, within a group."""
        del step
        return True

    def caught_up(self, root: int) -> Task:
        """Take a step's weights from a member that has them; its own are what it holds."""
        group = self._team.group
        for packet in self._held if group.member == root else self._fresh:
            yield from group.spread(packet, root)

    def settle(self) -> Task:
        """The leader fetches the servers' weights, with their origins as notes."""
        if self._team.group.member == 0:
            yield from self._link.hand_over(range(len(self._held)))
        if not self._team.leads():
            return None
        answers = yield from self._link.ask_all(FETCH)
        latest = {
            layer: (version, server, values)
            for server, shelves in answers.items()
            for layer, (version, values) in shelves.items()
            if self._placement.server_of(layer) == server
        }
        for layer, (version, server, values) in latest.items():
            self._held[layer].values.copy_(values)
            self._held[layer].header[[VERSION, SERVER]] = version, server
        self._into_model()
        return self._origins()

    def _origins(self) -> list[Origin]:
        return [tuple(packet.header[[VERSION, SERVER]].tolist()) for packet in self._held]

    def settled(self, notes: Any) -> None:
        """The model's weights are held, with the origins that the leader noted."""
        with torch.no_grad():
            for own, packet in zip(self._team.parameters, self._held, strict=True):
                torch._foreach_copy_(packet.parameters, [p.data for p in own])
        for packet, origin in zip(self._held, notes, strict=True):
            packet.header[[VERSION, SERVER]] = origin

    def state(self) -> Task:
        """Collected from the servers."""
        answers = yield from self._link.ask_all(STATE)
        return {"optimizer": {k: v for answer in answers.values() for k, v in answer.items()}}

    def load(self, state: Mapping[str, Any]) -> Task:
        """The leader hands weights and state to the servers."""
        self.settled(self._origins())
        if not self._team.leads():
            return
        for server in self._placement.alive():
            weights = {n: self._held[n].values for n in self._placement.layers_of(server)}
            yield from self._link.ask(server, LOAD, weights, dict(state["optimizer"]))

    def awaited(self) -> set[int]:
        """Servers."""
        return self._link.awaited

    def measures(self) -> dict[str, float]:
        """Mean staleness of this group's gradients, of all and by layer; updates in its steps."""
        found = {}
        if self._staleness and self._team.group.member == 0:
            by_layer = [sum(layer) / len(layer) for layer in zip(*self._staleness, strict=True)]
            found["staleness"] = sum(by_layer) / len(by_layer)
            names = (packet.layer.name for packet in self._held)
            found |= {f"staleness_{n}": s for n, s in zip(names, by_layer, strict=True)}
        version = int(self._held[0].header[VERSION])
        if self._steps:
            found["updates_per_step"] = (version - self._version_before) / self._steps
        self._version_before, self._steps, self._staleness = version, 0, []
        return found

    def findings(self) -> Task:
        """Staleness, momentum, and what the servers did."""
        answers = yield from self._link.ask_all(REPORT)
        return server_findings(answers, self._team.world.hosts)
