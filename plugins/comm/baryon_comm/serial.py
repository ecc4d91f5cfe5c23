"""Communicator `serial`: one process alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from baryon.errors import BaryonError
from baryon.interfaces import CommunicatorSummary, DataShard, OptimizerFactory, OptimizerStep
from baryon.launch.environment import cluster_environment
from baryon_comm.gradients.optimizer_state import by_name, in_order, trained


class Serial:
    """A single process: a step is the optimizer's own.

    Raises `BaryonError` if several processes were started.
    """

    is_server = False
    is_leader = True
    shard = DataShard()

    _model: torch.nn.Module
    _optimizer: OptimizerStep

    def __init__(self) -> None:
        environment = cluster_environment()
        if environment.ranks > 1:
            raise BaryonError(
                f"comm=serial is one process, but {environment.by} started {environment.ranks}: "
                "choose comm=sync, async, hybrid or local_sgd, or start it without"
            )
        self._step = 0
        self._stop = False

    def all_gather_object(self, value: Any) -> list[Any]:
        """Return the only value."""
        return [value]

    def start(self, model: torch.nn.Module, make_optimizer: OptimizerFactory) -> None:
        """Put the model's parameters under the optimizer."""
        self._model = model
        self._optimizer = make_optimizer(trained(model))

    def begin(self, step: int, samples: int, batch_size: int, *, stop: bool) -> None:
        """Record the number of the step."""
        # The gradient of one worker is that of the whole batch: there is nothing to weigh.
        del samples, batch_size
        self._step, self._stop = step, stop

    def step(self) -> bool:
        """Apply the gradients."""
        self._optimizer.apply(self._step)
        return self._stop

    def synchronize(self) -> None:
        """No-op: a single process is always synchronized."""

    def serve(self) -> None:
        """No-op: only parameter servers serve."""

    def all_reduce_sum(
        self, values: Mapping[str, float], *, in_group: bool = False
    ) -> dict[str, float]:
        """Return the values: the sum over one worker."""
        del in_group
        return dict(values)

    def gather(self, value: Any) -> list[Any]:
        """Return the only value."""
        return [value]

    def broadcast(self, value: Any) -> Any:
        """Return the value."""
        return value

    def metrics(self) -> dict[str, float]:
        """Return nothing: no communication is measured."""
        return {}

    def summary(self) -> CommunicatorSummary:
        """Return an empty summary."""
        return CommunicatorSummary()

    def state_dict(self) -> dict[str, Any]:
        """Return the optimizer's state."""
        return {"optimizer": by_name(self._model, self._optimizer)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`."""
        self._optimizer.load_state_dict(in_order(self._model, state["optimizer"]))

    def abort(self, message: str) -> None:
        """No-op: there is no other process to end."""

    def close(self) -> None:
        """No-op: there is nothing to leave."""
