"""How long to sleep between two looks at messages: the longer nothing happens, the longer."""

from __future__ import annotations

import os
import time

SPINNING = 2e-3
"""Seconds after an event in which a look follows a look: messages progress only when looked at."""
SHARE = 0.02
"""Of the time since the last event: so much later the next one is seen at most."""
SHORTEST, LONGEST = 50e-6, 2e-3


class Rest:
    """On a machine with fewer cores than ranks, who looks all the time takes from who computes."""

    def __init__(self) -> None:
        self.happened()

    def happened(self) -> None:
        """Something came, or ended."""
        self._since = time.perf_counter()

    def take(self, *, hurry: bool) -> None:
        """Until the next look; `hurry`: nobody here has anything else to do."""
        idle = time.perf_counter() - self._since
        if hurry and idle < SPINNING:
            os.sched_yield()
        else:
            time.sleep(min(max(SHORTEST, SHARE * idle), LONGEST))
