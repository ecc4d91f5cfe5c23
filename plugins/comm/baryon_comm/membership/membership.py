"""The workers of a run as one of them sees them: who leads, who is late, who has died."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from baryon.errors import BaryonError, format_error
from baryon.interfaces import DataShard
from baryon.terminal.console import warn_from_rank
from baryon_comm.group.group import Group
from baryon_comm.group.transport import BrokenGroupError
from baryon_comm.membership.health_check import TIMEOUT_SECONDS, Activity, HealthCheck, RankState
from baryon_comm.membership.object_gather import ObjectGather, create_object_gather
from baryon_comm.mpi.layout import Layout
from baryon_comm.mpi.progress_engine import (
    STARTUP_FACTOR,
    AdaptiveTimeout,
    DeadlineError,
    ProgressEngine,
    Task,
    Work,
)
from baryon_comm.mpi.world import World
from baryon_comm.options import Options

SLOWEST_GROUP = 4.0  # a group may take so many times as long as this one between two gathers
BUSY_DEADLINES = 10.0  # so many deadlines may pass while ranks answer that they are computing


class Membership:
    """All workers, this one's group, and the engine that carries their messages."""

    def __init__(
        self,
        world: World,
        layout: Layout,
        options: Options,
        state: Callable[[], RankState],
        *,
        survives: bool,
        repair: Callable[[], None],
    ) -> None:
        """`state` describes this rank to others.

        With `survives` the strategy goes on without workers that die; `repair` is then called
        when a member of the group has died while this worker waits for all workers.
        """
        self.world, self.layout = world, layout
        self._survives, self._repair = survives, repair
        self._health_check = HealthCheck(world.mpi, world.health_channel, state)
        world.add_poller(self._health_check.poll)
        self.engine = ProgressEngine(world.poll, world.poll_policy, self._check_health)
        self.group_number = layout.group_of(world.rank)
        self._workers = create_object_gather(world, world.comm.Split(0, world.rank))
        group_comm = world.comm.Split(self.group_number, world.rank)
        self.group_gather = create_object_gather(world, group_comm)
        self.group = Group(world, group_comm, options.transport, options.wire)
        self.failures: dict[int, dict[str, Any]] = {}
        """Dead ranks: their description, and the step in which their death was noticed."""
        self.step = 0
        """Number of the step under way, from 0; people are told `step_number`."""
        self._live_groups = list(range(layout.num_groups))
        self._deadline_s = options.deadline_s
        self._timeout = AdaptiveTimeout(options.deadline_s, STARTUP_FACTOR)
        self._gathered_at = time.monotonic()

    @property
    def is_leader(self) -> bool:
        """Whether this is the first worker alive, as known since the last gather of all."""
        return bool(self._workers.ranks[0] == self.world.rank)

    @property
    def step_number(self) -> int:
        """The step under way, from 1 as the log counts them."""
        return self.step + 1

    @property
    def description(self) -> str:
        """Describe this worker for people."""
        return self.world.describe(self.world.rank, self.layout)

    @property
    def shard(self) -> DataShard:
        """This worker's part of a batch; a dead group's part goes to the others at a gather."""
        group = self._live_groups.index(self.group_number)
        return DataShard(group, len(self._live_groups), self.group.rank, len(self.group))

    def run(self, task: Task, what: str) -> Any:
        """Run a task and return its value. Raises `BaryonError` if MPI fails."""
        try:
            return self.attempt(task, what)
        except self.world.mpi.Exception as error:
            raise self.world.communication_error(what, error, self.layout) from error

    def attempt(self, task: Task, what: str) -> Any:
        """Run a task where a failure of MPI need not be the end of the run."""
        return self.engine.run(task, what, self._timeout)

    def gather_all(self, value: Any) -> list[Any]:
        """Return the values of all workers alive, in rank order."""
        before = set(self._workers.ranks)
        values = self.gather(self._workers, value)
        self._gathered_at = time.monotonic()
        if failed := before - set(self._workers.ranks):
            if not self._survives:
                raise self._cannot_survive(failed)
            self._record_failures(failed)
            self._live_groups = sorted({self.layout.group_of(r) for r in self._workers.ranks})
        return values

    def gather_group(self, value: Any) -> list[Any]:
        """Return the values of the group's members, in rank order."""
        return self.gather(self.group_gather, value)

    def gather(self, object_gather: ObjectGather, value: Any) -> list[Any]:
        """Return the values of a gather; the group is repaired first if a member dies meanwhile."""
        while True:
            task = self._interrupted_by_failure(object_gather.gather(value))
            timeout = self._gather_timeout(object_gather)
            try:
                values: list[Any] = self.engine.run(task, "waiting for the other workers", timeout)
            except BrokenGroupError as error:
                self.require_survival(error)
                self._repair()
            except self.world.mpi.Exception as error:  # where all live or the job ends
                self.require_survival(error)
                raise
            else:
                return values

    def _interrupted_by_failure(self, task: Task) -> Task:
        """Raise `BrokenGroupError` in `task` when the group breaks: members wait for this one."""
        while True:
            if self.group.is_broken:
                raise BrokenGroupError
            try:
                next(task)
            except StopIteration as end:
                return end.value
            yield

    def _gather_timeout(self, object_gather: ObjectGather) -> AdaptiveTimeout:
        """Allow other groups to be slower than this one has been since the last gather."""
        elapsed = time.monotonic() - self._gathered_at
        slowest = SLOWEST_GROUP * elapsed if object_gather is self._workers else 0.0
        first = STARTUP_FACTOR if self.step == 0 else 1.0
        return AdaptiveTimeout(max(first * self._deadline_s, slowest))

    def shrink_group(self, device: torch.device) -> None:
        """Go on without the group's dead members; all survivors of the group must call it."""
        before = set(self.group.ranks)
        self.run(self.group.shrink(device), "shrinking the group")
        failed = before - set(self.group.ranks)
        self._record_failures(failed)
        if failed and self.group.rank == 0:
            survivors = len(self.group)
            warn_from_rank(
                f"{self._describe(sorted(failed))} died in step {self.step_number}: the group goes "
                f"on with {survivors} worker{'s' * (survivors > 1)}"
            )

    def require_survival(self, error: Exception) -> None:
        """Raise unless a death is behind an error and the strategy goes on without the dead."""
        if not self.world.wait_until(lambda: self.group.is_broken):
            raise BaryonError(
                f"the exchange failed in step {self.step_number} without a death: "
                f"{format_error(error)}"
            ) from error
        if self._survives:
            return
        raise self._cannot_survive(self.world.wait_for_failures()) from error

    def _cannot_survive(self, failed: set[int]) -> BaryonError:
        return BaryonError(
            f"{self._describe(sorted(failed)) or 'a rank'} died in step {self.step_number}: this "
            "strategy goes on with all ranks or none; the last checkpoint is intact, go on with "
            "`baryon resume run=<dir>`"
        )

    def detect_failures(self) -> None:
        """Record ranks that have died since, servers and other groups' workers among them."""
        self._record_failures(self.world.failed_ranks())

    def _record_failures(self, ranks: set[int]) -> None:
        for rank in sorted(ranks - self.failures.keys()):
            description = self.world.describe(rank, self.layout)
            self.failures[rank] = {"who": description, "step": self.step_number}

    def _check_health(self, late: Work) -> None:
        """A deadline has passed: grant more time while ranks compute, or raise `DeadlineError`.

        It is an error if a rank does not answer, if all wait for one another, or if the busy ones
        take too many deadlines.
        """
        others = set(range(self.world.ranks)) - self.world.failed_ranks() - {self.world.rank}
        check = self.engine.submit(
            self._health_check.ask(others), "the health check", self._timeout
        )
        if not check.done.wait(2 * TIMEOUT_SECONDS):
            raise _deadline_error(
                late, "MPI on this rank is stuck: is another rank hung or stopped?"
            )
        states: dict[int, RankState] = check.value
        if missing := sorted(others - states.keys()):
            raise _deadline_error(
                late, f"{self._describe(missing)} did not answer: hung or stopped?"
            )
        answers = ", ".join(
            f"{self._describe([rank])} is {states[rank].description}" for rank in sorted(states)
        )
        busy = {rank for rank in states if states[rank].activity is Activity.COMPUTING}
        if not busy or late.extra_s >= (BUSY_DEADLINES - 1) * late.timeout.limit():
            raise _deadline_error(late, f"all ranks answer: {answers}")
        late.extra_s += late.timeout.limit()
        # The first of the waiting ranks speaks for all of them.
        if self.world.rank < min(others - busy, default=self.world.ranks):
            warn_from_rank(f"{late}: {answers}; waiting on")

    def _describe(self, ranks: Sequence[int]) -> str:
        return ", ".join(self.world.describe(rank, self.layout) for rank in ranks)


def _deadline_error(work: Work, why: str) -> DeadlineError:
    return DeadlineError(
        f"{work}: {why}; look at it, then go on with `baryon resume run=<dir>` "
        "(comm.deadline_s is the shortest deadline)"
    )
