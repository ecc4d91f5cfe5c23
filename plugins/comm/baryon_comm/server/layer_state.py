"""A layer on its parameter server: its weights, its optimizer, who has seen which version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from baryon.interfaces import OptimizerFactory, OptimizerStep
from baryon_comm.gradients.bucket import NEVER, Bucket
from baryon_comm.gradients.layer import Layer
from baryon_comm.server.momentum import TotalMomentumEstimator
from baryon_comm.server.staleness import COMPENSATED, StalenessPolicy
from baryon_comm.server.weight_buffers import IsSent, WeightBuffers

MOMENTUM_KEYS = {"momentum_buffer", "exp_avg"}  # of the optimizers' state


class LayerState:
    """Weights, optimizers and versions of a layer on its parameter server."""

    def __init__(
        self,
        layer: Layer,
        make_optimizer: OptimizerFactory,
        implicit_momentum: float,
        policy: StalenessPolicy,
    ) -> None:
        self.layer, self._policy = layer, policy
        self._buffers = WeightBuffers(layer)
        self.parameters = [torch.nn.Parameter(p) for p in self._buffers.latest.parameters]
        names = [view.name for view in layer.views]
        named = list(zip(names, self.parameters, strict=True))
        self._make_optimizer = partial(make_optimizer, named, implicit_momentum)
        self._optimizers: dict[int, OptimizerStep] = {}
        self._adopted: tuple[int, torch.Tensor] | None = None
        self._sent: dict[int, torch.Tensor] = {}
        self._lookahead: dict[int, Bucket] = {}
        self.version = 0
        self.last_step: dict[int, int] = {}
        self.staleness: Counter[int] = Counter()
        self.dropped = 0
        self.momentum = TotalMomentumEstimator()

    @property
    def values(self) -> torch.Tensor:
        """The weights as one flat tensor."""
        return self._buffers.latest.values

    def put(self, values: torch.Tensor, version: int = 0) -> None:
        """Set the weights."""
        self._copy_on_write()
        self.values.copy_(values)
        self.version = version
        # Weights of before are no base for a compensation any more.
        self._sent.clear()

    def adopt(self, values: torch.Tensor, version: int) -> None:
        """Take over from a dead server the latest weights that a group holds.

        When another group turns out to hold a later version, its difference to the version that
        was adopted before is added: no update that any group has seen is lost.
        """
        if self._adopted is None:
            self.put(values, version)
        elif version > self._adopted[0]:
            self._copy_on_write()
            self.values.add_(values - self._adopted[1])
            self.version += version - self._adopted[0]
        else:
            return
        self._adopted = (version, values.clone())

    def apply_gradient(self, gradient: Bucket, group: int, step: int, seen: int) -> int:
        """Apply a group's gradient, computed with version `seen`; return its staleness."""
        self._copy_on_write()
        staleness = max(0, self.version - seen)
        if self.last_step.get(group, NEVER) >= step:
            return staleness  # repeated because the group's root had died: applied already
        self.last_step[group] = step
        self.staleness[staleness] += 1
        if self._policy.drops(staleness):
            self.dropped += 1
            return staleness
        if gradient.has_gradient:
            self._update_weights(gradient, group, step, seen)
        return staleness

    def _update_weights(self, gradient: Bucket, group: int, step: int, seen: int) -> None:
        if group in self._sent:
            self._policy.correct(gradient.values, self.values, self._sent[group])
        for parameter, view in zip(self.parameters, gradient.parameters, strict=True):
            parameter.grad = view
        optimizer = self._optimizer_of(group)
        self.momentum.before_update(self.values, gradient.values, self.version)
        optimizer.apply(step)
        self.version += 1
        self.momentum.after_update(self.values, seen, self.version, optimizer)

    def _copy_on_write(self) -> None:
        """Continue in a free buffer if the current one is still being sent."""
        if self._buffers.copy_on_write():
            views = self._buffers.latest.parameters
            for parameter, view in zip(self.parameters, views, strict=True):
                parameter.data = view

    def _optimizer_of(self, group: int) -> OptimizerStep:
        key = group if self._policy.momentum_by_group else 0
        if key not in self._optimizers:
            self._optimizers[key] = self._make_optimizer()
        return self._optimizers[key]

    def reply_to(self, group: int) -> Bucket:
        """Return the weights with which a group computes next; see `mark_in_flight`."""
        if self._policy.name == COMPENSATED:
            # A copy for each group, which only compensation needs: it costs as much as the layer.
            self._sent[group] = self.values.clone()
        if self._policy.momentum_by_group:
            return self._lookahead_of(group)
        return self._buffers.latest

    def mark_in_flight(self, reply: Bucket, is_sent: IsSent) -> None:
        """Keep a reply unchanged until `is_sent` returns true."""
        if reply is self._buffers.latest:
            self._buffers.mark_in_flight(is_sent)

    def _lookahead_of(self, group: int) -> Bucket:
        """Return the weights as all momenta will have carried them (DANA-Zero).

        Each group has one such bucket, for it waits for one reply at a time.
        """
        if group not in self._lookahead:
            self._lookahead[group] = self._buffers.latest.empty_like()
        bucket = self._lookahead[group]
        bucket.values.copy_(self.values)
        for optimizer in self._optimizers.values():
            for view, change in zip(bucket.parameters, optimizer.momentum_lookahead(), strict=True):
                view.add_(change)
        return bucket

    def state(self) -> dict[str, dict[str, Any]]:
        """Return the optimizer's state by parameter name; groups' momenta are added up."""
        names = [view.name for view in self.layer.views]
        states = [optimizer.state_dict()["parameters"] for optimizer in self._optimizers.values()]
        return {name: _summed([s[n] for s in states]) for n, name in enumerate(names)}

    def load(self, state: Mapping[str, Mapping[str, Any]], groups: int) -> None:
        """Continue from `state`, its momenta divided among groups that have their own."""
        self._optimizers.clear()
        keys = range(groups) if self._policy.momentum_by_group else range(1)
        for key in keys:
            states = [dict(state.get(view.name, {})) for view in self.layer.views]
            for parameter_state in states:
                for name in MOMENTUM_KEYS & parameter_state.keys():
                    parameter_state[name] = parameter_state[name] / len(keys)
            self._optimizer_of(key).load_state_dict({"parameters": states})


def _summed(states: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one parameter's state with the momenta of several optimizers added up."""
    states = [state for state in states if state]
    if not states:
        return {}
    total = dict(states[0])
    for name in MOMENTUM_KEYS & total.keys():
        total[name] = torch.stack([state[name] for state in states]).sum(dim=0)
    return total
