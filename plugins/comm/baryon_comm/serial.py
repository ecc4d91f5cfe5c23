"""Communicator `serial`: one process alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from baryon.interfaces import Update, UpdateFactory


class Serial:
    """A world of one: a step is the optimiser's own."""

    is_server = False
    worker = 0
    workers = 1

    _update: Update

    def start(self, model: torch.nn.Module, update: UpdateFactory) -> None:
        """Take the model's parameters under the optimiser."""
        self._update = update(model.parameters())

    def step(self) -> None:
        """Apply the gradients."""
        self._update.apply()

    def serve(self) -> None:
        """Nobody to serve."""

    def agree(self, values: Mapping[str, float]) -> dict[str, float]:
        """The sum over one worker."""
        return dict(values)

    def gather(self, value: Any) -> list[Any]:
        """The only value."""
        return [value]

    def state_dict(self) -> dict[str, Any]:
        """The optimiser's state."""
        return self._update.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        self._update.load_state_dict(state)

    def close(self) -> None:
        """Nothing to leave."""
