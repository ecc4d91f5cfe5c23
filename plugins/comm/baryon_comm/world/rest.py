"""How long to sleep between two looks at messages: the longer nothing happens, the longer."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

SHORTEST, LONGEST = 50e-6, 2e-3
"""Seconds of a sleep."""


@dataclass(frozen=True)
class Habit:
    """How soon what happens is seen, and at what cost."""

    spinning: float
    """Seconds after an event with look after look: messages progress only when looked at."""
    share: float
    """Of the time since the last event: so much later the next one is seen at most."""


EAGER = Habit(2e-3, 0.02)
SPARING = Habit(2e-4, 0.05)
"""For a host with fewer cores than ranks: who looks all the time takes from who computes."""


class Rest:
    """Between two looks."""

    def __init__(self, habit: Habit) -> None:
        self._habit = habit
        self.happened()

    def happened(self) -> None:
        """Something came, or ended."""
        self._since = time.perf_counter()

    def take(self, *, hurry: bool) -> None:
        """Until the next look; `hurry`: nobody here has anything else to do."""
        idle = time.perf_counter() - self._since
        if hurry and idle < self._habit.spinning:
            os.sched_yield()
        else:
            time.sleep(min(max(SHORTEST, self._habit.share * idle), LONGEST))
