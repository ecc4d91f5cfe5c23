"""The workers of a run as one of them sees them: who leads, who is late, who has died."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from baryon.errors import BaryonError, told
from baryon.interfaces import Share
from baryon_comm.group.group import Group
from baryon_comm.group.transport import BrokenGroupError
from baryon_comm.options import Options
from baryon_comm.world.circle import Circle
from baryon_comm.world.courier import FIRST, Courier, LateError, Patience, Task, Ticket
from baryon_comm.world.layout import Layout
from baryon_comm.world.roll_call import COMPUTING
from baryon_comm.world.roll_call import SECONDS as SECONDS_OF_ROLL_CALL
from baryon_comm.world.world import World

LAG = 4.0  # a group may be so many times as slow as the fastest
WHILE_BUSY = 10.0  # deadlines pass before the job ends though all answer and some compute


class Crew:
    """All workers, this one's group among them, and the courier that carries what they say."""

    def __init__(self, world: World, layout: Layout, options: Options) -> None:
        self.world, self.layout = world, layout
        self.courier = Courier(world.attend, world.habit)
        self.courier.on_late = self._call_the_roll
        self.number = layout.group_of(world.rank)
        self.all = world.circle(world.comm.Split(0, world.rank))
        own = world.comm.Split(self.number, world.rank)
        self.group = Group(world, own, options.transport, options.wire)
        self.survives = False
        """Whether the strategy goes on without those who die."""
        self.repair: Callable[[], None] = lambda: None
        """Called when a member of the group has died while this one waits for all workers."""
        self.awaited: Callable[[], set[int]] = set
        """Other ranks, outside the group, that have not answered yet."""
        self.faults: dict[int, dict[str, Any]] = {}
        self.step = 0
        """From 0; people are told `now`."""
        self._groups = list(range(layout.groups))
        self._deadline_s = options.deadline_s
        self._in_all = Patience(options.deadline_s, FIRST)
        self._met = time.monotonic()

    @property
    def leads(self) -> bool:
        """The first worker alive, as known since all met last."""
        return bool(self.all.ranks[0] == self.world.rank)

    @property
    def now(self) -> int:
        """The step under way, from 1 as the log counts them."""
        return self.step + 1

    @property
    def name(self) -> str:
        """This worker, as people know it."""
        return self.world.name(self.world.rank, self.layout)

    @property
    def share(self) -> Share:
        """By group, then by member; a dead group's part goes to the others when all meet."""
        place = self._groups.index(self.number)
        return Share(place, len(self._groups), self.group.member, len(self.group))

    def do(self, task: Task, what: str) -> Any:
        """Have something done, and wait for it. Raises `BaryonError` if it fails."""
        try:
            return self.attempt(task, what)
        except self.world.mpi.Exception as error:
            raise self.world.failure(what, error, self.layout) from error

    def attempt(self, task: Task, what: str) -> Any:
        """The same where a failure of MPI need not be the end."""
        return self.courier.do(task, what, self._in_all)

    def everybody(self, value: Any) -> list[Any]:
        """All workers' values."""
        before = set(self.all.ranks)
        everyone = self.together(self.all, value)
        self._met = time.monotonic()
        if dead := before - set(self.all.ranks):
            if not self.survives:
                raise self._the_end(dead)
            self._note_dead(dead)
            self._groups = sorted({self.layout.group_of(rank) for rank in self.all.ranks})
        return everyone

    def together(self, circle: Circle, value: Any) -> list[Any]:
        """The values of a circle; a member of the group that dies meanwhile is seen to first."""
        while True:
            task, patience = self._watching(circle.gather(value)), self._patience(circle)
            try:
                found: list[Any] = self.courier.do(task, "waiting for the other workers", patience)
            except BrokenGroupError as error:
                self.require_survival(error)
                self.repair()
            except self.world.mpi.Exception as error:  # where all live or the job ends
                self.require_survival(error)
                raise
            else:
                return found

    def _watching(self, task: Task) -> Task:
        """A task that is broken off when the group is: its members wait for this one."""
        while True:
            if self.group.broken:
                raise BrokenGroupError
            try:
                next(task)
            except StopIteration as end:
                return end.value
            yield

    def _patience(self, circle: Circle) -> Patience:
        """Between groups, one may be slower: as late as `LAG` times the way that this one had."""
        since = LAG * (time.monotonic() - self._met) if circle is self.all else 0.0
        first = FIRST if self.step == 0 else 1.0
        return Patience(max(first * self._deadline_s, since))

    def mend_group(self, device: torch.device) -> None:
        """The group goes on without its dead; all its members must come."""
        before = set(self.group.ranks)
        self.do(self.group.mend(device), "mending the group")
        dead = before - set(self.group.ranks)
        self._note_dead(dead)
        if dead and self.group.member == 0:
            left = len(self.group)
            who = f"{self._names(sorted(dead))} died in step {self.now}"
            say(f"{who}: the group goes on with {left} worker{'s' * (left > 1)}")

    def require_survival(self, error: Exception) -> None:
        """Raise unless the strategy goes on without those whose death is behind an error."""
        if not self.world.comes_true(lambda: self.group.broken):
            raise BaryonError(
                f"the exchange failed in step {self.now} without a death: {told(error)}"
            ) from error
        if self.survives:
            return
        raise self._the_end(self.world.dead_soon()) from error

    def _the_end(self, dead: set[int]) -> BaryonError:
        """Where all live or none."""
        return BaryonError(
            f"{self._names(sorted(dead)) or 'a rank'} died in step {self.now}: this strategy goes "
            "on with all ranks or none; the last checkpoint is intact, go on with `baryon resume "
            "run=<dir>`"
        )

    def look_for_dead(self) -> None:
        """Note who has died since, servers and other groups' workers among them."""
        self._note_dead(self.world.dead())

    def _note_dead(self, ranks: set[int]) -> None:
        for rank in sorted(ranks - self.faults.keys()):
            name = self.world.name(rank, self.layout)
            self.faults[rank] = {"who": name, "step": self.now}

    def _call_the_roll(self, late: Ticket) -> None:
        """A deadline has passed: more time for who computes, an error for who does not answer.

        Raises `LateError` if a rank is missing, if all wait for one another, or in the end.
        """
        others = set(range(self.world.ranks)) - self.world.dead() - {self.world.rank}
        call = self.courier.hand_in(
            self.world.roll_call.call(others), "the roll call", self._in_all
        )
        if not call.done.wait(2 * SECONDS_OF_ROLL_CALL):
            raise _late(late, "this rank's MPI does not come back: is another hung or stopped?")
        found: dict[int, str] = call.value
        if absent := sorted(others - found.keys()):
            raise _late(late, f"{self._names(absent)} did not answer: hung or stopped?")
        answers = ", ".join(f"{self._names([rank])} is {found[rank]}" for rank in sorted(found))
        busy = [rank for rank in found if found[rank].startswith(COMPUTING)]
        if not busy or late.granted >= (WHILE_BUSY - 1) * late.patience.limit():
            raise _late(late, f"all ranks answer: {answers}")
        late.granted += late.patience.limit()
        if self.world.rank < min(others - set(busy), default=self.world.ranks):
            say(f"{late}: {answers}; waiting on")

    def _names(self, ranks: Sequence[int]) -> str:
        return ", ".join(self.world.name(rank, self.layout) for rank in ranks)


def _late(ticket: Ticket, why: str) -> LateError:
    return LateError(
        f"{ticket}: {why}; look at it, then go on with `baryon resume run=<dir>` "
        "(comm.deadline_s is the shortest deadline)"
    )


def say(text: str) -> None:
    """A warning from this very worker, whoever leads."""
    print(f"warning: {text}", file=sys.stderr, flush=True)  # noqa: T201
