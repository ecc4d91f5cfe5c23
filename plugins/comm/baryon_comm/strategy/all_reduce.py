"""Strategy of `sync`: every worker applies the mean gradient of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from baryon.interfaces import OptimizerFactory, OptimizerStep
from baryon_comm.gradients.bucket import STOP, Bucket
from baryon_comm.gradients.optimizer_state import by_name, in_order, trained
from baryon_comm.mpi.progress_engine import Task
from baryon_comm.strategy.base import Strategy, StrategyContext, completed


class AllReduceStrategy(Strategy):
    """The optimizer and its state are on every worker, the same on all."""

    _context: StrategyContext
    _optimizer: OptimizerStep

    def start(self, context: StrategyContext, make_optimizer: OptimizerFactory) -> None:
        """Put all parameters under one optimizer."""
        self._context = context
        self._optimizer = make_optimizer(trained(context.model))

    def exchange_bucket(self, gradient: Bucket, step: int, expected: float | None) -> Task:
        """Average the layer's gradient over the group, in place."""
        del step
        # In place: nobody needs the worker's own gradient afterwards, and a second bucket is as
        # large as the layer.
        yield from self._context.group.mean(gradient, gradient, expected)

    def finish(self, step: int, gradients: list[Bucket]) -> None:
        """Apply the mean gradients."""
        for parameters, bucket in zip(self._context.parameters, gradients, strict=True):
            for parameter, gradient in zip(parameters, bucket.parameters, strict=True):
                # A layer that no member's backward reached keeps no gradient, as in one process.
                parameter.grad = gradient if bucket.has_gradient else None
        self._optimizer.apply(step)

    def stops(self, step: int, gradients: list[Bucket]) -> bool:
        """Stop if any worker asked for it."""
        # The sum of all wishes to stop travels with the first layer, so all see the same.
        del step
        return bool(gradients[0].tail[STOP] > 0)

    def state(self) -> Task:
        """Return the optimizer's state."""
        return completed({"optimizer": by_name(self._context.model, self._optimizer)})

    def load(self, state: Mapping[str, Any]) -> Task:
        """Load the state into this worker's optimizer."""
        self._optimizer.load_state_dict(in_order(self._context.model, state["optimizer"]))
        return completed()
