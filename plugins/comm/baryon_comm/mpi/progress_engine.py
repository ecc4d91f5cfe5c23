"""The progress engine: one thread that does all the MPI of a worker while another computes.

Its tasks are generators that start non-blocking operations and yield until these are complete. So
gradients travel while backward runs, no wait is without a deadline, and an MPI library that allows
one thread at a time is enough.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeAlias

from baryon.errors import BaryonError
from baryon_comm.mpi.backoff import PollBackoff, PollPolicy

Task: TypeAlias = Generator[None, None, Any]

IDLE_SECONDS_BETWEEN_POLLS = 0.2
STARTUP_FACTOR = 10.0
"""Times the shortest deadline: the first steps load libraries and read files."""


class DeadlineError(BaryonError):
    """A wait took longer than its deadline."""


class AdaptiveTimeout:
    """A deadline that adapts to what is normal: 20 times the longest successful wait so far."""

    FACTOR = 20.0

    def __init__(self, floor_s: float, first: float = 1.0) -> None:
        """Never go below `floor_s`; while nothing has been waited for, allow `first` times it."""
        self._floor_s, self._first = floor_s, first
        self._longest_s = 0.0

    def limit(self) -> float:
        """Return the seconds after which a wait is too long."""
        if not self._longest_s:
            return self._first * self._floor_s
        return max(self._floor_s, self.FACTOR * self._longest_s)

    def record(self, seconds: float) -> None:
        """Take a successful wait into account."""
        self._longest_s = max(self._longest_s, seconds)


class Work:
    """A submitted task and its outcome."""

    def __init__(self, task: Task, what: str, timeout: AdaptiveTimeout) -> None:
        self.task, self.what, self.timeout = task, what, timeout
        self.submitted_at = time.monotonic()
        self.extra_s = 0.0
        """Seconds granted beyond its timeout."""
        self.done = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None

    def waited(self) -> float:
        """Return the seconds since it was submitted."""
        return time.monotonic() - self.submitted_at

    def remaining(self) -> float:
        """Return the seconds until its deadline."""
        return self.timeout.limit() + self.extra_s - self.waited()

    def __str__(self) -> str:
        return f"{self.what} has not ended after {self.waited():.0f} s"


def raise_deadline_error(work: Work) -> None:
    """Raise `DeadlineError`: what a deadline means where no other rank can be asked."""
    raise DeadlineError(str(work))


class ProgressEngine:
    """Run tasks side by side in one thread."""

    def __init__(
        self,
        poll: Callable[[], None],
        policy: PollPolicy,
        on_deadline: Callable[[Work], None] = raise_deadline_error,
    ) -> None:
        """Call `poll` again and again, whether there are tasks or not.

        `on_deadline` is called by the waiting thread when a deadline has passed: it raises, or
        grants more time.
        """
        self._poll, self._on_deadline = poll, on_deadline
        self._submitted: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self.is_awaited = False
        """Whether the computing thread has nothing to do but to wait for this engine."""
        self._backoff = PollBackoff(policy)
        # A daemon: a process that fails must not wait for messages that never come.
        self._thread = threading.Thread(target=self._run, name="baryon-progress", daemon=True)
        self._thread.start()

    def submit(self, task: Task, what: str, timeout: AdaptiveTimeout) -> Work:
        """Start a task; tasks take their first step in the order in which they are submitted."""
        work = Work(task, what, timeout)
        self._submitted.put(work)
        return work

    def wait(self, pending: Sequence[Work]) -> None:
        """Wait until all have ended. Raises the first error, or what `on_deadline` raises."""
        self.is_awaited = True
        try:
            for work in pending:
                self._wait_for(work)
        finally:
            self.is_awaited = False
        for work in pending:
            if work.error is not None:
                raise work.error

    def _wait_for(self, work: Work) -> None:
        # Asked again after each wait: the deadline may have been extended meanwhile.
        while not work.done.wait(max(0.0, work.remaining())):
            if work.remaining() <= 0:
                self._on_deadline(work)

    def run(self, task: Task, what: str, timeout: AdaptiveTimeout) -> Any:
        """Submit a task, wait for it, and return its value."""
        work = self.submit(task, what, timeout)
        self.wait([work])
        return work.value

    def close(self) -> None:
        """End the thread once its tasks have ended."""
        self._submitted.put(None)
        self._thread.join()

    def _run(self) -> None:
        active: list[Work] = []
        while True:
            if not self._take_submitted(active):
                return
            # All advance in turn: a task that waits for a slow rank must not hold up the others.
            ended = [work for work in active if self._advance(work)]
            active = [work for work in active if work not in ended]
            if ended:
                self._backoff.reset()
            if active:
                self._backoff.sleep(hurry=self.is_awaited)

    def _take_submitted(self, active: list[Work]) -> bool:
        """Move new work to `active`, sleeping while there is none; False when closed."""
        self._poll()
        while not active or not self._submitted.empty():
            try:
                work = self._submitted.get(timeout=IDLE_SECONDS_BETWEEN_POLLS)
            except queue.Empty:
                self._poll()
                continue
            if work is None:
                return False
            active.append(work)
            self._backoff.reset()
        return True

    def _advance(self, work: Work) -> bool:
        """Take the task's next step; return whether it has ended."""
        try:
            next(work.task)
        except StopIteration as end:
            work.value = end.value
            work.timeout.record(work.waited())
        except BaseException as error:  # noqa: BLE001  raised again by `wait`
            work.error = error
        else:
            return False
        work.done.set()
        return True
