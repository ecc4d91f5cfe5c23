"""The contract of a strategy: what becomes of a group's gradient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from baryon.interfaces import CommunicatorSummary, OptimizerFactory
from baryon_comm.gradients.bucket import Bucket
from baryon_comm.gradients.layer import Layer
from baryon_comm.group.group import Group
from baryon_comm.membership.object_gather import ObjectGather
from baryon_comm.mpi.layout import Layout
from baryon_comm.mpi.progress_engine import AdaptiveTimeout, ProgressEngine, Task
from baryon_comm.mpi.world import World


@dataclass
class StrategyContext:
    """What a strategy works with on a worker."""

    world: World
    layout: Layout
    group: Group
    group_gather: ObjectGather
    engine: ProgressEngine
    timeout: AdaptiveTimeout
    model: torch.nn.Module
    layers: list[Layer]
    parameters: list[list[torch.nn.Parameter]]
    is_leader: Callable[[], bool]
    """Whether this worker is the leader now."""


class Strategy(ABC):
    """What becomes of a group's gradient. Methods that return a `Task` run in the engine."""

    survives: ClassVar[bool] = False
    """Whether it can go on when a worker has died."""
    averages_gradients: ClassVar[bool] = True
    """Whether the members of a group average their gradients at every step."""

    @abstractmethod
    def start(self, context: StrategyContext, make_optimizer: OptimizerFactory) -> None:
        """Set up before the first step; all workers hold the same weights."""

    def begin(self, step: int, *, stop: bool) -> None:  # noqa: B027  a no-op by default
        """Prepare a step, or the same step again after a death; nothing is in flight."""

    def exchange_bucket(self, gradient: Bucket, step: int, expected: float | None) -> Task:
        """Exchange a layer's packed gradient; see `Group.mean` for `expected`."""
        del gradient, step, expected
        return completed()

    @abstractmethod
    def finish(self, step: int, gradients: list[Bucket]) -> None:
        """Make the weights those of the next step, once all exchanges have ended."""

    @abstractmethod
    def stops(self, step: int, gradients: list[Bucket]) -> bool:
        """Whether all workers stop after this step, which was exchanged."""

    def is_synchronized(self, step: int) -> bool:
        """Whether the members of a group hold the same weights after this step."""
        del step
        return True

    def catch_up(self, root: int) -> Task:
        """Take the weights of member `root`, which finished a step before a death ended it.

        Called on all members of a strategy that survives deaths.
        """
        del root
        return completed()

    def synchronize(self) -> Task:
        """On all workers: bring the weights to use for all to the leader's model, at least.

        The task returns the leader's notes for `synchronized`; None if all have the same weights.
        """
        return completed()

    def synchronized(self, notes: Any) -> None:  # noqa: B027  a no-op by default
        """On all workers: note that the model now holds the leader's weights."""

    @abstractmethod
    def state(self) -> Task:
        """Return the communicator's state, on the leader."""

    @abstractmethod
    def load(self, state: Mapping[str, Any]) -> Task:
        """Continue from a state, on every worker; the model holds its weights."""

    def awaited_ranks(self) -> set[int]:
        """Return ranks outside the group that have not answered yet."""
        return set()

    def metrics(self) -> dict[str, float]:
        """Return what was measured since the last call."""
        return {}

    def staleness_by_step(self) -> list[tuple[int, float]]:
        """Return the mean staleness of the gradients by step; empty if none can be stale."""
        return []

    def summary(self) -> Task:
        """Return the `CommunicatorSummary` of the whole run, on the leader."""
        return completed(CommunicatorSummary())


def completed(value: Any = None) -> Task:
    """Return a task that has ended with `value`."""
    # The unreachable `yield` makes this function a generator, as every task is.
    return value
    yield
