"""Peak and sustained rate as the paper defines them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

WINDOW = 100
"""Steps of the window over which the sustained rate is taken (the paper's for HEP, reported)."""
SHORTEST = 1e-9


class Rates:
    """Samples a second of the fastest step, and of the best window of contiguous steps.

    Time is the wall clock from the end of one step to the end of the next, with all that lies
    between: input, communication, checkpoints, evaluation.
    """

    def __init__(self) -> None:
        self.peak = 0.0
        self.sustained = 0.0
        self.sustained_steps = 0
        """Steps of the window that `sustained` was taken over: fewer only in a short run."""
        self._window: deque[tuple[float, float]] = deque()
        self._seconds = self._samples = 0.0

    def add(self, steps: Iterable[tuple[float, float]]) -> None:
        """The next steps of the run: (seconds, samples of all workers together) of each."""
        for seconds, samples in steps:
            self.peak = max(self.peak, samples / max(seconds, SHORTEST))
            self._window.append((seconds, samples))
            self._seconds += seconds
            self._samples += samples
            if len(self._window) > WINDOW:
                old_seconds, old_samples = self._window.popleft()
                self._seconds -= old_seconds
                self._samples -= old_samples
            self._look()

    def _look(self) -> None:
        steps, rate = len(self._window), self._samples / max(self._seconds, SHORTEST)
        if steps > self.sustained_steps or (steps == WINDOW and rate > self.sustained):
            self.sustained, self.sustained_steps = rate, steps

    def state_dict(self) -> dict[str, Any]:
        """To go on in another process; a window never spans the gap between two."""
        return {
            "peak": self.peak,
            "sustained": self.sustained,
            "sustained_steps": self.sustained_steps,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.peak, self.sustained = state["peak"], state["sustained"]
        self.sustained_steps = state["sustained_steps"]
