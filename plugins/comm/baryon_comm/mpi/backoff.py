"""How long to sleep between two polls of MPI: the longer nothing happens, the longer.

Ranks that share cores poll less often, for polling takes time from whoever computes beside it;
where each rank has a core of its own, latency is what matters.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

SHORTEST_SLEEP, LONGEST_SLEEP = 50e-6, 2e-3  # seconds


@dataclass(frozen=True)
class PollPolicy:
    """How soon an event is noticed, and at what cost."""

    spin_seconds: float
    """How long to poll without sleeping after an event: messages progress only when polled."""
    idle_share: float
    """Each sleep, as a share of the time since the last event."""


EAGER = PollPolicy(spin_seconds=2e-3, idle_share=0.02)
# A fifth and a half instead of a twentieth were tried: `hybrid` became 2 and 10 % slower.
SPARING = PollPolicy(spin_seconds=2e-4, idle_share=0.05)
"""For a host with fewer cores than ranks."""


class PollBackoff:
    """Sleep between polls, for a time that grows while nothing happens."""

    def __init__(self, policy: PollPolicy) -> None:
        self._policy = policy
        self.reset()

    def reset(self) -> None:
        """Note an event: a message came, or an operation ended."""
        self._last_event = time.perf_counter()

    def sleep(self, *, hurry: bool) -> None:
        """Sleep until the next poll. With `hurry`, spin first: the caller is otherwise idle."""
        idle = time.perf_counter() - self._last_event
        if hurry and idle < self._policy.spin_seconds:
            # Not a sleep, of which the shortest takes longer than a message of a small layer.
            os.sched_yield()
        else:
            time.sleep(min(max(SHORTEST_SLEEP, self._policy.idle_share * idle), LONGEST_SLEEP))
