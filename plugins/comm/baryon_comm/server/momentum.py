"""The total momentum of training, asynchrony's share included, estimated on a server.

The closed-loop estimate of YellowFin (arXiv:1706.03471, section 4): if w_v are the weights after v
updates and a gradient g was computed at w_v with learning rate a, then

    momentum = median over coordinates of (w_{v+1} - w_v + a g) / (w_v - w_{v-1}).

For plain SGD with momentum and no asynchrony this is the momentum itself. A sample of the
coordinates is enough, so the history is small.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch

COORDINATES = 1024
HISTORY = 64  # versions
DECAY = 0.99  # of the running mean


class TotalMomentumEstimator:
    """Estimate the momentum from some coordinates of the last versions. Defined for SGD alone."""

    def __init__(self) -> None:
        self._history: OrderedDict[int, torch.Tensor] = OrderedDict()
        self._coordinates: torch.Tensor | None = None
        self._gradient = torch.empty(0)
        self._defined = True
        self.mean: float | None = None

    def before_update(self, weights: torch.Tensor, gradient: torch.Tensor, version: int) -> None:
        """Record that a gradient is about to be applied to the weights of this version."""
        if not self._defined:
            return
        if self._coordinates is None:
            count = min(COORDINATES, len(weights))
            self._coordinates = torch.linspace(0, len(weights) - 1, count).long()
        self._record(version, weights)
        self._gradient = gradient[self._coordinates]

    def after_update(self, weights: torch.Tensor, seen: int, version: int, optimizer: Any) -> None:
        """Estimate after an update whose gradient was computed with the weights of `seen`."""
        # The optimizer of PyTorch inside the step, if it is one: the estimate is SGD's alone.
        of_torch = getattr(optimizer, "optimizer", None)
        groups = of_torch.param_groups if isinstance(of_torch, torch.optim.SGD) else []
        rates = {float(group["lr"]) for group in groups}
        # With several rates within a layer it is not the gradient times one of them that is added.
        self._defined = len(rates) == 1
        if not self._defined:
            return
        self._record(version, weights)
        history = [self._history.get(seen + offset) for offset in (-1, 0, 1)]
        if any(step is None for step in history):
            return
        before, at, after = history
        assert before is not None and at is not None and after is not None  # noqa: PT018
        moved = at - before
        change = after - at + rates.pop() * self._gradient
        nonzero = moved != 0
        if nonzero.any():
            self._average(float((change[nonzero] / moved[nonzero]).median()))

    def _record(self, version: int, weights: torch.Tensor) -> None:
        self._history[version] = weights[self._coordinates].clone()
        while len(self._history) > HISTORY:
            self._history.popitem(last=False)

    def _average(self, momentum: float) -> None:
        mean = momentum if self.mean is None else self.mean
        self.mean = DECAY * mean + (1 - DECAY) * momentum
