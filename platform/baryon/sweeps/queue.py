"""Notice which jobs have left the queue of a batch system."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

SECONDS_BETWEEN_LOOKS = 0.5
"""Between two looks at the jobs' status files."""
SECONDS_BETWEEN_QUESTIONS = 5.0
"""Between two questions to the batch system, which serves the whole site."""
SECONDS_TO_ANSWER = 60.0


class Queue:
    """The jobs of a sweep that a batch system still has.

    `ask` is given the numbers of these jobs and returns those that wait, run or are about to end,
    beside others; None if the batch system is silent.
    """

    def __init__(self, ask: Callable[[Collection[str]], Collection[str] | None]) -> None:
        self._ask = ask
        self._jobs: set[str] = set()
        self._missing: set[str] = set()
        self._asked_at = time.monotonic()

    def __bool__(self) -> bool:
        """Tell whether any job is still in the queue."""
        return bool(self._jobs)

    def add(self, number: str) -> None:
        """Follow a job that has been submitted."""
        self._jobs.add(number)

    def forget(self, number: str) -> None:
        """Follow a job no longer: it is known to have ended."""
        self._jobs.discard(number)

    def gone(self) -> list[str]:
        """Return the jobs that have left the queue since the last call."""
        if not self._jobs or time.monotonic() < self._asked_at + SECONDS_BETWEEN_QUESTIONS:
            return []
        self._asked_at = time.monotonic()
        queued = self._ask(self._jobs)
        if queued is None:
            return []
        # Missing at two looks: the queue may be quicker than the file system that brings what a
        # job wrote last.
        missing = self._jobs.difference(queued)
        gone, self._missing = missing & self._missing, missing
        self._jobs -= gone
        return sorted(gone)
