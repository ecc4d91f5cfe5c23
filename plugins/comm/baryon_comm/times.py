"""A worker's seconds: computing, and waiting for messages after backward."""

from __future__ import annotations

import time


class Times:
    """Of the steps since the last reading, and of the whole run."""

    def __init__(self) -> None:
        self._since = time.perf_counter()
        self._computing = self._waiting = 0.0
        self._all_computing = self._all_waiting = 0.0
        self._steps = self._all_steps = 0

    def reset(self) -> None:
        """The next step begins now."""
        self._since = time.perf_counter()

    def computed(self) -> None:
        """Backward has ended."""
        now = time.perf_counter()
        self._computing += now - self._since
        self._since = now

    def exchanged(self) -> None:
        """The new weights are there."""
        now = time.perf_counter()
        self._waiting += now - self._since
        self._since = now
        self._steps += 1

    def read(self) -> dict[str, float]:
        """Milliseconds a step that communication was exposed, since the last reading."""
        steps, waiting = self._steps, self._waiting
        self._all_computing += self._computing
        self._all_waiting += waiting
        self._all_steps += steps
        self._computing = self._waiting = 0.0
        self._steps = 0
        self.reset()
        return {"exposed_ms": 1e3 * waiting / steps} if steps else {}

    def total(self) -> dict[str, float]:
        """Of the whole run: steps, milliseconds a step computing and waiting."""
        self.read()
        steps = max(1, self._all_steps)
        return {
            "steps": self._all_steps,
            "computing_ms": 1e3 * self._all_computing / steps,
            "exposed_ms": 1e3 * self._all_waiting / steps,
        }
