"""Measure where the time of a run goes, by switching a stopwatch between phases.

Some calls alone are not timed: every second belongs to exactly one phase, so that the sum of all
phases is the wall clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch

START = "start"
INPUT = "input"
FORWARD = "forward"
BACKWARD = "backward"
COMMUNICATION = "communication"
OPTIMIZER = "optimizer"
CHECKPOINT = "checkpoint"
EVALUATION = "evaluation"
REST = "rest"
PHASES = (
    START, INPUT, FORWARD, BACKWARD, COMMUNICATION, OPTIMIZER, CHECKPOINT, EVALUATION, REST,
)  # fmt: skip
PRODUCTIVE_PHASES = (FORWARD, BACKWARD, OPTIMIZER)
"""Phases that goodput counts."""


class Clock(Protocol):
    """Gives time stamps, and the seconds between two of them."""

    def stamp(self) -> Any:
        """Return the current time stamp."""
        ...

    def seconds(self, earlier: Any, later: Any) -> float:
        """Return the seconds between two time stamps."""
        ...


class HostClock:
    """The clock of the process, for what it computes itself."""

    def stamp(self) -> float:
        """Return the seconds of a monotonic clock."""
        return time.perf_counter()

    def seconds(self, earlier: float, later: float) -> float:
        """Return the difference of two stamps."""
        return later - earlier


class CudaClock:
    """The clock of a GPU: stamps are events in its queue, which runs behind the process.

    A phase gets the time for which the device worked on it or waited in it. So input that is ready
    before the device has finished the step before takes no time.
    """

    def stamp(self) -> torch.cuda.Event:
        """Record an event in the current stream."""
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def seconds(self, earlier: torch.cuda.Event, later: torch.cuda.Event) -> float:
        """Wait until the device has reached the later event; return the seconds between both."""
        later.synchronize()
        return float(earlier.elapsed_time(later)) / 1e3


def clock_of(device: torch.device) -> Clock:
    """Return the clock for work on a device."""
    return CudaClock() if device.type == "cuda" else HostClock()


class Stopwatch:
    """Notes each change of phase and the end of each step.

    Sums are made when it is read and not in the step: reading waits for a GPU.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._phase = START
        self._last = clock.stamp()
        self._step_began = self._last
        self._changes: list[tuple[str, Any]] = []
        self._ends: list[tuple[Any, float]] = []

    def switch(self, phase: str) -> str:
        """Enter a phase; return the one that has ended."""
        before = self._phase
        if phase != before:
            self._changes.append((before, self._clock.stamp()))
            self._phase = phase
        return before

    @contextmanager
    def inside(self, phase: str) -> Iterator[None]:
        """Enter a phase for the duration of the block."""
        before = self.switch(phase)
        try:
            yield
        finally:
            self.switch(before)

    def steps_begin(self) -> None:
        """Note that the first step begins now."""
        self._step_began = self._clock.stamp()

    def step_ended(self, samples: float) -> None:
        """Note that a step of so many samples ends now, with all that came since the last one."""
        self._ends.append((self._clock.stamp(), samples))

    def read(self) -> tuple[dict[str, float], list[tuple[float, float]]]:
        """Return what was noted since the last reading.

        Returns
        -------
        phases : dict of str to float
            Seconds of each phase.
        steps : list of (float, float)
            Seconds and samples of each step.

        """
        self._changes.append((self._phase, self._clock.stamp()))
        phases: dict[str, float] = {}
        for phase, stamp in self._changes:
            spent = self._clock.seconds(self._last, stamp)
            phases[phase] = phases.get(phase, 0.0) + spent
            self._last = stamp
        steps = []
        for stamp, samples in self._ends:
            steps.append((self._clock.seconds(self._step_began, stamp), samples))
            self._step_began = stamp
        self._changes, self._ends = [], []
        return phases, steps
