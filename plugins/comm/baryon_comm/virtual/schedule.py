"""Which group's step ends next, in virtual time."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any

from baryon.scaling.group_clock import GroupClock


class Schedule:
    """Groups in the order in which their steps end.

    Attributes
    ----------
    seconds : virtual time, from the start of the run
    group : the group whose step ends next

    """

    def __init__(self, clock: GroupClock, groups: int) -> None:
        self._clock, self._groups = clock, groups
        self.seconds = 0.0
        self._ends: list[tuple[float, int]] = []
        self.begin_together()

    @property
    def group(self) -> int:
        """Return the group whose step ends next."""
        return self._ends[0][1]

    def begin_together(self) -> None:
        """Let all groups begin a step now."""
        # With the group's number as second entry equal times have one order: the run is the same to
        # the bit.
        self._ends = [
            (self.seconds + self._clock.next_step(group), group) for group in range(self._groups)
        ]
        heapq.heapify(self._ends)

    def end_step(self) -> None:
        """Go on to the end of that step, and let its group begin the next."""
        self.seconds, group = self._ends[0]
        heapq.heapreplace(self._ends, (self.seconds + self._clock.next_step(group), group))

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint, of the moment when all groups begin together."""
        # Each group has begun a step, which it will begin again.
        return {"seconds": self.seconds, "steps": [steps - 1 for steps in self._clock.steps]}

    def load(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`, unless it is of a run with another number of groups."""
        self.seconds = float(state["seconds"])
        if len(state["steps"]) == self._groups:
            self._clock.go_on_from(state["steps"])
        self.begin_together()
