"""How a worker spends its steps: computing, and waiting for messages after backward."""

from __future__ import annotations

import time


class StepTimer:
    """Seconds computing and waiting, since the last reading and of the whole run."""

    def __init__(self) -> None:
        self._since = time.perf_counter()
        self._computing = self._waiting = 0.0
        self._total_computing = self._total_waiting = 0.0
        self._steps = self._total_steps = 0

    def restart(self) -> None:
        """Begin the next step now, leaving out the time since the last one."""
        self._since = time.perf_counter()

    def end_backward(self) -> None:
        """Count the time since the step began as computing."""
        now = time.perf_counter()
        self._computing += now - self._since
        self._since = now

    def end_step(self) -> None:
        """Count the time since backward as waiting: the new weights have come."""
        now = time.perf_counter()
        self._waiting += now - self._since
        self._since = now
        self._steps += 1

    def read(self) -> dict[str, float]:
        """Return the exposed communication in ms a step since the last reading."""
        steps, waiting = self._steps, self._waiting
        self._total_computing += self._computing
        self._total_waiting += waiting
        self._total_steps += steps
        self._computing = self._waiting = 0.0
        self._steps = 0
        # What lies between two readings (validation, a checkpoint) is no part of a step.
        self.restart()
        return {"exposed_ms": 1e3 * waiting / steps} if steps else {}

    def total(self) -> dict[str, float]:
        """Return steps, and ms a step computing and waiting, of the whole run."""
        self.read()
        steps = max(1, self._total_steps)
        return {
            "steps": self._total_steps,
            "computing_ms": 1e3 * self._total_computing / steps,
            "exposed_ms": 1e3 * self._total_waiting / steps,
        }
