"""The courier: one thread that does all the MPI of a worker, while another computes.

Its tasks are generators that start non-blocking operations and yield until these are done. So
gradients travel while backward runs, no wait is without a deadline, and an MPI library that
allows one thread at a time is enough.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeAlias

from baryon.errors import BaryonError
from baryon_comm.world.rest import Habit, Rest

Task: TypeAlias = Generator[None, None, Any]

SECONDS_OF_IDLE_REST = 0.2
FIRST = 10.0  # times the shortest deadline: at first libraries are loaded and files are read


class LateError(BaryonError):
    """A wait was longer than its deadline."""


class Patience:
    """A deadline that adapts to what is normal: 20 times the longest wait so far."""

    FACTOR = 20.0

    def __init__(self, floor: float, first: float = 1.0) -> None:
        """`floor` in seconds; while nothing is known yet, `first` times as much."""
        self._floor, self._first = floor, first
        self._longest = 0.0

    def limit(self) -> float:
        """Seconds after which a wait is too long."""
        if not self._longest:
            return self._first * self._floor
        return max(self._floor, self.FACTOR * self._longest)

    def note(self, seconds: float) -> None:
        """A wait that ended well."""
        self._longest = max(self._longest, seconds)


class Ticket:
    """A task handed in, and its outcome."""

    def __init__(self, task: Task, what: str, patience: Patience) -> None:
        self.task, self.what, self.patience = task, what, patience
        self.started = time.monotonic()
        self.granted = 0.0
        """Seconds beyond what its patience allows."""
        self.done = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None

    def waited(self) -> float:
        """Seconds since it was handed in."""
        return time.monotonic() - self.started

    def left(self) -> float:
        """Seconds until its deadline."""
        return self.patience.limit() + self.granted - self.waited()

    def __str__(self) -> str:
        return f"{self.what} has not ended after {self.waited():.0f} s"


def too_late(ticket: Ticket) -> None:
    """What a deadline means where there is nobody to ask. Raises `LateError`."""
    raise LateError(str(ticket))


class Courier:
    """Runs tasks side by side."""

    def __init__(self, look_around: Callable[[], None], habit: Habit) -> None:
        """`look_around` is called again and again, whether there are tasks or not."""
        self._look_around = look_around
        self.on_late: Callable[[Ticket], None] = too_late
        """Called by who waits when a deadline has passed: it raises, or grants more time."""
        self._handed_in: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
        self.awaited = False
        """Whether its rank has nothing to do but to wait for it."""
        self._rest = Rest(habit)
        self._thread = threading.Thread(target=self._run, name="baryon-courier", daemon=True)
        self._thread.start()

    def hand_in(self, task: Task, what: str, patience: Patience) -> Ticket:
        """Start a task; tasks make their first move in the order in which they are handed in."""
        ticket = Ticket(task, what, patience)
        self._handed_in.put(ticket)
        return ticket

    def wait(self, tickets: Sequence[Ticket]) -> None:
        """Until all have ended; raises the first error, or what `on_late` does."""
        self.awaited = True
        try:
            for ticket in tickets:
                self._wait_for(ticket)
        finally:
            self.awaited = False
        for ticket in tickets:
            if ticket.error is not None:
                raise ticket.error

    def _wait_for(self, ticket: Ticket) -> None:
        while not ticket.done.wait(max(0.0, ticket.left())):
            if ticket.left() <= 0:
                self.on_late(ticket)

    def do(self, task: Task, what: str, patience: Patience) -> Any:
        """Hand in, wait, and give the task's value."""
        ticket = self.hand_in(task, what, patience)
        self.wait([ticket])
        return ticket.value

    def close(self) -> None:
        """End the thread when its tasks have ended."""
        self._handed_in.put(None)
        self._thread.join()

    def _run(self) -> None:
        active: list[Ticket] = []
        while True:
            if not self._take(active):
                return
            ended = [ticket for ticket in active if self._move(ticket)]
            active = [ticket for ticket in active if ticket not in ended]
            if ended:
                self._rest.happened()
            if active:
                self._rest.take(hurry=self.awaited)

    def _take(self, active: list[Ticket]) -> bool:
        """What was handed in since; with nothing to do, sleep until something is."""
        self._look_around()
        while not active or not self._handed_in.empty():
            try:
                ticket = self._handed_in.get(timeout=SECONDS_OF_IDLE_REST)
            except queue.Empty:
                self._look_around()
                continue
            if ticket is None:
                return False
            active.append(ticket)
            self._rest.happened()
        return True

    def _move(self, ticket: Ticket) -> bool:
        """Whether the task has ended."""
        try:
            next(ticket.task)
        except StopIteration as end:
            ticket.value = end.value
            ticket.patience.note(ticket.waited())
        except BaseException as error:  # noqa: BLE001  raised again where the task is waited for
            ticket.error = error
        else:
            return False
        ticket.done.set()
        return True
