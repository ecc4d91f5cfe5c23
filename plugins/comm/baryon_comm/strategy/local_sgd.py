"""Strategy of `local_sgd`: workers train alone and average their moves now and then (DiLoCo).

After `every` steps, the mean over all workers of how far each has moved is a gradient for an outer
SGD with Nesterov momentum (arXiv:2311.08105). With an outer rate of 1 and no outer momentum this is
plain averaging of the weights (arXiv:1805.09767).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from baryon.errors import BaryonError
from baryon.interfaces import OptimizerFactory, OptimizerStep
from baryon_comm.gradients.bucket import STOP, Bucket, buckets_for
from baryon_comm.gradients.optimizer_state import averaged, by_name, in_order, on_cpu, trained
from baryon_comm.mpi.progress_engine import Task
from baryon_comm.strategy.base import Strategy, StrategyContext, completed

OUTER_MOMENTUM = "outer_momentum"  # key of the state


@dataclass(frozen=True)
class OuterOptimizer:
    """When and how workers average. Raises `BaryonError` for values that make no sense."""

    every: int
    learning_rate: float
    momentum: float

    def __post_init__(self) -> None:
        if self.every < 1:
            raise BaryonError(f"comm.every={self.every} must be above 0")
        if self.learning_rate <= 0:
            raise BaryonError(f"comm.outer_learning_rate={self.learning_rate} must be above 0")
        if not 0 <= self.momentum < 1:
            raise BaryonError(f"comm.outer_momentum={self.momentum} must be in [0, 1)")


class LocalSgdStrategy(Strategy):
    """The inner optimizer is each worker's own; the outer one is the same on all."""

    averages_gradients = False

    _context: StrategyContext
    _optimizer: OptimizerStep

    def __init__(self, outer: OuterOptimizer) -> None:
        self._outer = outer
        self._steps_since_average = 0
        self._asked_to_stop = self._stop = False
        self._start: list[Bucket] = []  # the weights after the last average
        self._moves: list[Bucket] = []
        self._velocity: list[torch.Tensor] = []

    def start(self, context: StrategyContext, make_optimizer: OptimizerFactory) -> None:
        """Remember the weights from which all start."""
        self._context = context
        self._optimizer = make_optimizer(trained(context.model))
        self._start = buckets_for(context.layers, context.parameters)
        self._moves = buckets_for(context.layers, context.parameters)
        self._velocity = [torch.zeros_like(bucket.values) for bucket in self._start]
        self._record_start()

    def _record_start(self) -> None:
        with torch.no_grad():
            for parameters, bucket in zip(self._context.parameters, self._start, strict=True):
                torch._foreach_copy_(bucket.parameters, [p.data for p in parameters])

    def begin(self, step: int, *, stop: bool) -> None:
        """Remember a wish to stop until the next average."""
        del step
        self._asked_to_stop = self._asked_to_stop or stop

    def finish(self, step: int, gradients: list[Bucket]) -> None:
        """Take a local step, and average when it is time."""
        del gradients  # no-op: LocalSGD exchanges moves of the weights, not gradients
        self._optimizer.apply(step)
        self._steps_since_average += 1
        if self.is_synchronized(step):
            what = f"step {step + 1}: averaging"
            self._context.engine.run(self._average(), what, self._context.timeout)

    def _average(self) -> Task:
        """Take the outer step, whose gradient is the mean of all workers' moves."""
        context, workers = self._context, len(self._context.group)
        for parameters, start, move in zip(
            context.parameters, self._start, self._moves, strict=True
        ):
            for view, before, parameter in zip(
                move.parameters, start.parameters, parameters, strict=True
            ):
                torch.sub(before, parameter.data, out=view)
            # Workers meet only here, so the wish to stop waits for this.
            move.tail[STOP] = float(self._asked_to_stop)
            move.side_stream.record_ready()
        for move in self._moves:
            yield from context.group.sum(move, move)
        self._stop = bool(self._moves[0].tail[STOP] > 0)
        self._steps_since_average = 0
        for start, move, velocity in zip(self._start, self._moves, self._velocity, strict=True):
            self._outer_step(start.values, move.values.div_(workers), velocity)
        for parameters, start in zip(context.parameters, self._start, strict=True):
            torch._foreach_copy_([p.data for p in parameters], start.parameters)

    def _outer_step(
        self, weights: torch.Tensor, gradient: torch.Tensor, velocity: torch.Tensor
    ) -> None:
        """Take a step of SGD with Nesterov momentum, in place."""
        momentum, rate = self._outer.momentum, self._outer.learning_rate
        velocity.mul_(momentum).add_(gradient)
        weights.sub_(gradient.add(velocity, alpha=momentum), alpha=rate)

    def stops(self, step: int, gradients: list[Bucket]) -> bool:
        """Stop after an average at which any worker asked for it."""
        del gradients
        return self._stop and self.is_synchronized(step)

    def is_synchronized(self, step: int) -> bool:
        """Whether workers average after this step."""
        return (step + 1) % self._outer.every == 0

    def synchronize(self) -> Task:
        """Average, if any step was taken since; average the inner optimizers."""
        # Nothing may be lost of what workers learned since.
        if self._steps_since_average:
            yield from self._average()
        inner = [on_cpu(state) for state in self._optimizer.state_dict()["parameters"]]
        states = yield from self._context.group_gather.gather(inner)
        # Also of what each optimizer remembers: the weights they start from are the same now.
        mean = [averaged(of_parameter) for of_parameter in zip(*states, strict=True)]
        self._optimizer.load_state_dict({"parameters": mean})

    def state(self) -> Task:
        """Return the inner optimizer's state, averaged, and the outer momentum."""
        outer = {}
        for bucket, velocity in zip(self._start, self._velocity, strict=True):
            for view, values in zip(bucket.layer.views, bucket.layer.view(velocity), strict=True):
                outer[view.name] = values.clone()
        optimizer = by_name(self._context.model, self._optimizer)
        return completed({"optimizer": optimizer, OUTER_MOMENTUM: outer})

    def load(self, state: Mapping[str, Any]) -> Task:
        """Load a state; that of another strategy has no outer momentum, which starts from zero."""
        self._optimizer.load_state_dict(in_order(self._context.model, state["optimizer"]))
        self._record_start()
        self._steps_since_average = 0
        saved = state.get(OUTER_MOMENTUM, {})
        for bucket, velocity in zip(self._start, self._velocity, strict=True):
            velocity.zero_()
            for view, values in zip(bucket.layer.views, bucket.layer.view(velocity), strict=True):
                if view.name in saved:
                    values.copy_(saved[view.name])
        return completed()
