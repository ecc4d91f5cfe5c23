"""Optimizers with learning-rate schedule and gradient clipping, as one step for some parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from baryon.config.schemas import Train
from baryon.training.metrics.stopwatch import OPTIMIZER, Stopwatch
from baryon.training.parameter_groups import RATE_SCALE, optimizer_groups
from baryon.training.schedules import rate_factor
from baryon.training.uncompiled import uncompiled

# Looked up without a default: a name that the schema allows and this file lacks must not train
# with another optimizer.
CLASSES: Mapping[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": uncompiled(torch.optim.Adam),
    "adamw": uncompiled(torch.optim.AdamW),
    "sgd": uncompiled(torch.optim.SGD),
}
BUFFERS = {
    "adam": ("exp_avg", "exp_avg_sq"),
    "adamw": ("exp_avg", "exp_avg_sq"),
    "sgd": ("momentum_buffer",),
}
"""Optimizer -> the tensors that it holds for each parameter, of the parameter's shape."""


@dataclass(frozen=True)
class ScheduledOptimizerFactory:
    """Builds the optimizer of some parameters, as `baryon.interfaces.OptimizerFactory`.

    It can be pickled, for parameter servers build optimizers as well. The stopwatch does not
    travel: it belongs to the process that made it.
    """

    train: Train
    total_steps: int
    steps_per_epoch: int
    stopwatch: Stopwatch | None = None

    def __reduce__(self) -> tuple[type[ScheduledOptimizerFactory], tuple[Train, int, int]]:
        return ScheduledOptimizerFactory, (self.train, self.total_steps, self.steps_per_epoch)

    def __call__(
        self, parameters: Iterable[tuple[str, torch.nn.Parameter]], implicit_momentum: float = 0.0
    ) -> ScheduledOptimizerStep:
        """Build the optimizer, with a momentum that is smaller by `implicit_momentum`."""
        train = replace(self.train, momentum=max(0.0, self.train.momentum - implicit_momentum))
        factor = partial(
            rate_factor,
            train=train,
            total_steps=self.total_steps,
            steps_per_epoch=self.steps_per_epoch,
        )
        return ScheduledOptimizerStep(parameters, train, factor, self.stopwatch)


class ScheduledOptimizerStep:
    """Clips the gradients, changes the weights, clears the gradients.

    See `baryon.interfaces.OptimizerStep`.
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, torch.nn.Parameter]],
        train: Train,
        factor: Callable[[int], float],
        stopwatch: Stopwatch | None = None,
    ) -> None:
        """`factor` gives what the learning rate is multiplied by at a step."""
        named = list(parameters)
        self._parameters = [parameter for _, parameter in named]
        self._train = train
        self._factor = factor
        self._stopwatch = stopwatch
        self.optimizer = _optimizer(named, train)

    def apply(self, step: int) -> None:
        """Change the weights by their gradients, at the learning rate of this step."""
        with self._stopwatch.inside(OPTIMIZER) if self._stopwatch else nullcontext():
            if self._train.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(self._parameters, self._train.clip_norm)
            rate = self._train.learning_rate * self._factor(step)
            for group in self.optimizer.param_groups:
                group["lr"] = rate * group[RATE_SCALE]
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)

    def momentum_lookahead(self) -> Sequence[torch.Tensor]:
        """Return the change of each parameter in the next step if its gradient were zero then."""
        groups = self.optimizer.param_groups
        rates = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
        return [self._momentum_lookahead(p, rates[id(p)]) for p in self._parameters]

    def _momentum_lookahead(self, parameter: torch.nn.Parameter, rate: float) -> torch.Tensor:
        state = self.optimizer.state.get(parameter, {})
        momentum = self._train.momentum
        velocity: torch.Tensor | None = state.get("momentum_buffer")
        if velocity is not None:  # SGD
            return velocity.mul(-rate * momentum)
        if "exp_avg" not in state:  # there has been no step yet
            return torch.zeros_like(parameter)
        # Adam (arXiv:1412.6980, algorithm 1) with a gradient of zero in step count + 1; the second
        # moment is taken as it stands.
        count = float(state["step"])
        mean: torch.Tensor = state["exp_avg"] * (momentum / (1 - momentum ** (count + 1)))
        spread = (state["exp_avg_sq"] / (1 - self._train.beta2**count)).sqrt() + 1e-8
        return mean.div(spread).mul(-rate)

    def state_dict(self) -> dict[str, Any]:
        """Return the optimizer's state of each parameter, in the order of the parameters."""
        state = self.optimizer.state
        return {"parameters": [dict(state.get(p, {})) for p in self._parameters]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` returned."""
        # PyTorch numbers parameters group by group.
        grouped = [p for group in self.optimizer.param_groups for p in group["params"]]
        number_of = {id(parameter): number for number, parameter in enumerate(grouped)}
        states = zip(self._parameters, state["parameters"], strict=True)
        entries = {number_of[id(parameter)]: entry for parameter, entry in states if entry}
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": entries, "param_groups": groups})


def _optimizer(named: list[tuple[str, torch.nn.Parameter]], train: Train) -> torch.optim.Optimizer:
    settings: dict[str, Any] = {"lr": train.learning_rate}
    if train.optimizer == "sgd":
        nesterov = train.nesterov and train.momentum > 0  # PyTorch refuses it without momentum
        settings |= {"momentum": train.momentum, "nesterov": nesterov}
    else:
        settings |= {"betas": (train.momentum, train.beta2)}
    return CLASSES[train.optimizer](optimizer_groups(named, train), fused=True, **settings)
