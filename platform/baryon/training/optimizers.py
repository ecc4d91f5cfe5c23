"""Optimizers with their schedule and gradient clipping, as one update of some parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from baryon.config.schemas import Train
from baryon.training.metrics.stopwatch import OPTIMIZER, Stopwatch
from baryon.training.schedules import rate_factor
from baryon.training.uncompiled import uncompiled


@dataclass(frozen=True)
class ScheduledOptimizerFactory:
    """What a communicator calls with the parameters it is to update; it can be pickled."""

    train: Train
    total_steps: int
    steps_per_epoch: int
    stopwatch: Stopwatch | None = None
    """Of the process that made it; it does not travel."""

    def __reduce__(self) -> tuple[type[ScheduledOptimizerFactory], tuple[Train, int, int]]:
        return ScheduledOptimizerFactory, (self.train, self.total_steps, self.steps_per_epoch)

    def __call__(
        self, parameters: Iterable[torch.nn.Parameter], implicit_momentum: float = 0.0
    ) -> OptimizerStep:
        """An update whose momentum is smaller than the config's by `implicit_momentum`."""
        train = replace(self.train, momentum=max(0.0, self.train.momentum - implicit_momentum))
        factor = partial(
            rate_factor,
            train=train,
            total_steps=self.total_steps,
            steps_per_epoch=self.steps_per_epoch,
        )
        return OptimizerStep(parameters, train, factor, self.stopwatch)


BUFFERS = {
    "adam": ("exp_avg", "exp_avg_sq"),
    "adamw": ("exp_avg", "exp_avg_sq"),
    "sgd": ("momentum_buffer",),
}
"""What each optimizer keeps of a parameter, of its shape."""


class OptimizerStep:
    """Clip, step, clear; see `baryon.interfaces.Update`."""

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        train: Train,
        factor: Callable[[int], float],
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self._parameters = list(parameters)
        self._train = train
        self._factor = factor
        self._stopwatch = stopwatch
        self.optimizer = _optimizer(self._parameters, train)

    def apply(self, step: int) -> None:
        """One update of the weights from their gradients, at the learning rate of this step."""
        with self._stopwatch.inside(OPTIMIZER) if self._stopwatch else nullcontext():
            self._apply(step)

    def _apply(self, step: int) -> None:
        if self._train.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._parameters, self._train.clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = self._train.learning_rate * self._factor(step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def momentum_lookahead(self) -> Sequence[torch.Tensor]:
        """The next change of each parameter if its next gradient were zero."""
        return [self._momentum_lookahead(parameter) for parameter in self._parameters]

    def _momentum_lookahead(self, parameter: torch.nn.Parameter) -> torch.Tensor:
        state = self.optimizer.state.get(parameter, {})
        rate = self.optimizer.param_groups[0]["lr"]
        momentum = self._train.momentum
        velocity: torch.Tensor | None = state.get("momentum_buffer")
        if velocity is not None:
            return velocity.mul(-rate * momentum)
        if "exp_avg" not in state:
            return torch.zeros_like(parameter)
        count = float(state["step"])
        mean: torch.Tensor = state["exp_avg"] * (momentum / (1 - momentum ** (count + 1)))
        spread = (state["exp_avg_sq"] / (1 - self._train.beta2**count)).sqrt() + 1e-8
        return mean.div(spread).mul(-rate)

    def state_dict(self) -> dict[str, Any]:
        """The optimizer's state of each parameter."""
        state = self.optimizer.state
        return {"parameters": [dict(state.get(p, {})) for p in self._parameters]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        kept = {number: one for number, one in enumerate(state["parameters"]) if one}
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": kept, "param_groups": groups})


def _optimizer(parameters: list[torch.nn.Parameter], train: Train) -> torch.optim.Optimizer:
    settings: dict[str, Any] = {"lr": train.learning_rate, "weight_decay": train.weight_decay}
    kind: type[torch.optim.Optimizer]
    if train.optimizer == "sgd":
        nesterov = train.nesterov and train.momentum > 0  # torch refuses it without
        kind = torch.optim.SGD
        settings |= {"momentum": train.momentum, "nesterov": nesterov}
    else:
        kind = torch.optim.Adam if train.optimizer == "adam" else torch.optim.AdamW
        settings |= {"betas": (train.momentum, train.beta2)}
    optimizer: torch.optim.Optimizer = uncompiled(kind)(parameters, fused=True, **settings)
    return optimizer
