"""A layer on a parameter server: its weights, its optimiser, who has seen which version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from baryon.interfaces import Update, UpdateFactory
from baryon_comm.group.group import has_gradient
from baryon_comm.layers.layer import NEVER, Layer, Packet
from baryon_comm.server.momentum_meter import MomentumMeter
from baryon_comm.server.remedies import COMPENSATED, Remedy
from baryon_comm.server.versions import Ended, Versions


class Shelf:
    """Gradients of all groups are applied one by one, in the order in which they arrive."""

    def __init__(
        self, layer: Layer, update: UpdateFactory, momentum_less: float, remedy: Remedy
    ) -> None:
        self.layer, self._remedy = layer, remedy
        self._versions = Versions(layer)
        self.parameters = [torch.nn.Parameter(p) for p in self._versions.latest.parameters]
        self._make_update = partial(update, self.parameters, momentum_less)
        self._updates: dict[int, Update] = {}
        self._base: tuple[int, torch.Tensor] | None = None
        self._sent: dict[int, torch.Tensor] = {}
        self._ahead: dict[int, Packet] = {}
        self.version = 0
        self.last_step: dict[int, int] = {}
        self.staleness: Counter[int] = Counter()
        self.dropped = 0
        self.momentum = MomentumMeter()

    @property
    def values(self) -> torch.Tensor:
        """The weights as one flat tensor."""
        return self._versions.latest.values

    def put(self, values: torch.Tensor, version: int = 0) -> None:
        """Take these weights, as they are."""
        self._make_way()
        self.values.copy_(values)
        self.version = version
        self._sent.clear()

    def adopt(self, values: torch.Tensor, version: int) -> None:
        """Take over from a dead server the latest weights that a group holds.

        When a second group turns out to hold a later version, what that has and the first had not
        is added: no update that any group has seen is lost.
        """
        if self._base is None:
            self.put(values, version)
        elif version > self._base[0]:
            self._make_way()
            self.values.add_(values - self._base[1])
            self.version += version - self._base[0]
        else:
            return
        self._base = (version, values.clone())

    def apply(self, gradient: Packet, group: int, step: int, seen: int) -> int:
        """Apply a group's gradient of its step, computed with version `seen`; the staleness."""
        self._make_way()
        staleness = max(0, self.version - seen)
        if self.last_step.get(group, NEVER) >= step:
            return staleness  # asked again after the group's root had died
        self.last_step[group] = step
        self.staleness[staleness] += 1
        if self._remedy.drops(staleness):
            self.dropped += 1
            return staleness
        if has_gradient(gradient):
            self._apply(gradient, group, step, seen)
        return staleness

    def _apply(self, gradient: Packet, group: int, step: int, seen: int) -> None:
        if group in self._sent:
            self._remedy.correct(gradient.values, self.values, self._sent[group])
        for parameter, place in zip(self.parameters, gradient.parameters, strict=True):
            parameter.grad = place
        update = self._update_of(group)
        self.momentum.before(self.values, gradient.values, self.version)
        update.apply(step)
        self.version += 1
        self.momentum.after(self.values, seen, self.version, update)

    def _make_way(self) -> None:
        """Before any change, for those who still receive the last weights."""
        if self._versions.make_way():
            places = self._versions.latest.parameters
            for parameter, place in zip(self.parameters, places, strict=True):
                parameter.data = place

    def _update_of(self, group: int) -> Update:
        key = group if self._remedy.momentum_by_group else 0
        if key not in self._updates:
            self._updates[key] = self._make_update()
        return self._updates[key]

    def reply_to(self, group: int) -> Packet:
        """The weights a group is to compute with next; it `leaves`."""
        if self._remedy.name == COMPENSATED:
            self._sent[group] = self.values.clone()
        if self._remedy.momentum_by_group:
            return self._ahead_of(group)
        return self._versions.latest

    def leaves(self, reply: Packet, ended: Ended) -> None:
        """A reply is being sent, and needed as it is until `ended` says that this is over."""
        if reply is self._versions.latest:
            self._versions.leaves(ended)

    def _ahead_of(self, group: int) -> Packet:
        """Where all momenta will have carried the weights; a group waits for one at a time."""
        if group not in self._ahead:
            self._ahead[group] = self._versions.latest.another()
        packet = self._ahead[group]
        packet.values.copy_(self.values)
        for update in self._updates.values():
            for place, change in zip(packet.parameters, update.coasting(), strict=True):
                place.add_(change)
        return packet

    def state(self) -> dict[str, dict[str, Any]]:
        """The optimiser's state by parameter name; several groups' momenta are added up."""
        names = [piece.name for piece in self.layer.pieces]
        states = [update.state_dict()["parameters"] for update in self._updates.values()]
        return {name: _summed([one[n] for one in states]) for n, name in enumerate(names)}

    def load(self, state: Mapping[str, Mapping[str, Any]], groups: int) -> None:
        """Go on from `state`, its momenta shared out among the groups that have their own."""
        self._updates.clear()
        keys = range(groups) if self._remedy.momentum_by_group else range(1)
        for key in keys:
            own = [dict(state.get(piece.name, {})) for piece in self.layer.pieces]
            for one in own:
                for name in MOMENTA & one.keys():
                    one[name] = one[name] / len(keys)
            self._update_of(key).load_state_dict({"parameters": own})


MOMENTA = {"momentum_buffer", "exp_avg"}


def _summed(states: list[dict[str, Any]]) -> dict[str, Any]:
    states = [state for state in states if state]
    if not states:
        return {}
    total = dict(states[0])
    for name in MOMENTA & total.keys():
        total[name] = torch.stack([state[name] for state in states]).sum(dim=0)
    return total
