"""Optimisers with their schedule and gradient clipping, as one update of some parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch

from baryon.schemas import Train
from baryon.training.schedules import rate_factor


def update_factory(train: Train, total_steps: int, steps_per_epoch: int) -> Callable[..., Update]:
    """What a communicator calls with the parameters it is to update."""
    factor = partial(
        rate_factor, train=train, total_steps=total_steps, steps_per_epoch=steps_per_epoch
    )
    return partial(Update, train=train, factor=factor)


class Update:
    """Clip, step, advance the schedule, clear; see `baryon.interfaces.Update`.

    The schedule counts the updates of these parameters.
    """

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        train: Train,
        factor: Callable[[int], float],
    ) -> None:
        self._parameters = list(parameters)
        self._train = train
        self._factor = factor
        self._updates = 0
        self.optimizer = _optimizer(self._parameters, train)

    def apply(self) -> None:
        """One update of the weights from their gradients."""
        if self._train.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._parameters, self._train.clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = self._train.learning_rate * self._factor(self._updates)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._updates += 1

    def state_dict(self) -> dict[str, Any]:
        """The optimiser's state and the number of updates."""
        return {"optimizer": self.optimizer.state_dict(), "updates": self._updates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.optimizer.load_state_dict(state["optimizer"])
        self._updates = int(state["updates"])


def _optimizer(parameters: list[torch.nn.Parameter], train: Train) -> torch.optim.Optimizer:
    shared: dict[str, Any] = {"lr": train.learning_rate, "weight_decay": train.weight_decay}
    if train.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, momentum=train.momentum, nesterov=train.nesterov, fused=True, **shared
        )
    kind = torch.optim.Adam if train.optimizer == "adam" else torch.optim.AdamW
    return kind(parameters, betas=(train.momentum, train.beta2), fused=True, **shared)
