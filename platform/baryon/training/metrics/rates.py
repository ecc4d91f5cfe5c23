"""Measure peak and sustained rate of a run, as the paper defines them (arXiv:1708.05256)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

WINDOW = 100
"""Steps of the window over which the sustained rate is taken (the paper's for HEP, reported)."""
SHORTEST = 1e-9
"""Seconds that a step takes at least, so that a rate is finite."""


class Rates:
    """Samples a second of the fastest step, and of the best window of contiguous steps.

    Time is the wall clock from the end of one step to the end of the next, with all that lies
    between: input, communication, checkpoints, evaluation.

    Attributes
    ----------
    peak : samples a second of the fastest step
    sustained : samples a second over the best window
    sustained_steps : steps of that window, which are fewer than `WINDOW` only in a short run

    """

    def __init__(self) -> None:
        self.peak = 0.0
        self.sustained = 0.0
        self.sustained_steps = 0
        self._window: deque[tuple[float, float]] = deque()
        self._seconds = self._samples = 0.0

    def add(self, steps: Iterable[tuple[float, float]]) -> None:
        """Take in the next steps of the run: the seconds and all workers' samples of each."""
        for seconds, samples in steps:
            self.peak = max(self.peak, samples / max(seconds, SHORTEST))
            self._window.append((seconds, samples))
            self._seconds += seconds
            self._samples += samples
            if len(self._window) > WINDOW:
                old_seconds, old_samples = self._window.popleft()
                self._seconds -= old_seconds
                self._samples -= old_samples
            self._update_sustained()

    def _update_sustained(self) -> None:
        steps, rate = len(self._window), self._samples / max(self._seconds, SHORTEST)
        # A longer window always counts more: the rate of a few steps is close to the peak.
        if steps > self.sustained_steps or (steps == WINDOW and rate > self.sustained):
            self.sustained, self.sustained_steps = rate, steps

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs; the window begins anew, it must not span the gap."""
        return {
            "peak": self.peak,
            "sustained": self.sustained,
            "sustained_steps": self.sustained_steps,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `state_dict` returned."""
        self.peak, self.sustained = state["peak"], state["sustained"]
        self.sustained_steps = state["sustained_steps"]
