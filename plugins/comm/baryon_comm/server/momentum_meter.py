"""The momentum that training really has, asynchrony's share included, measured on a server.

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
MEMORY = 0.99  # of the running mean


class MomentumMeter:
    """Keeps some coordinates of the last versions. Defined for SGD alone."""

    def __init__(self) -> None:
        self._history: OrderedDict[int, torch.Tensor] = OrderedDict()
        self._where: torch.Tensor | None = None
        self._gradient = torch.empty(0)
        self._defined = True
        self.mean: float | None = None

    def before(self, values: torch.Tensor, gradient: torch.Tensor, version: int) -> None:
        """A gradient is about to be applied to the weights of this version."""
        if not self._defined:
            return
        if self._where is None:
            count = min(COORDINATES, len(values))
            self._where = torch.linspace(0, len(values) - 1, count).long()
        self._keep(version, values)
        self._gradient = gradient[self._where]

    def after(self, values: torch.Tensor, seen: int, version: int, update: Any) -> None:
        """It was applied; it had been computed with the weights of version `seen`."""
        optimizer = getattr(update, "optimizer", None)
        self._defined = isinstance(optimizer, torch.optim.SGD)
        if not self._defined or optimizer is None:
            return
        self._keep(version, values)
        steps = [self._history.get(seen + further) for further in (-1, 0, 1)]
        if any(step is None for step in steps):
            return
        earlier, here, later = steps
        assert earlier is not None and here is not None and later is not None  # noqa: PT018
        moved = here - earlier
        change = later - here + float(optimizer.param_groups[0]["lr"]) * self._gradient
        some = moved != 0
        if some.any():
            self._note(float((change[some] / moved[some]).median()))

    def _keep(self, version: int, values: torch.Tensor) -> None:
        self._history[version] = values[self._where].clone()
        while len(self._history) > HISTORY:
            self._history.popitem(last=False)

    def _note(self, momentum: float) -> None:
        old = momentum if self.mean is None else self.mean
        self.mean = MEMORY * old + (1 - MEMORY) * momentum
