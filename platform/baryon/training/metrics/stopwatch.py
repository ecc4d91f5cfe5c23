"""Where the time of a run goes: what it does is always one of some phases."""

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
LEARNING = (FORWARD, BACKWARD, OPTIMIZER)


class Clock(Protocol):
    """Gives stamps, and the seconds between two of them."""

    def stamp(self) -> Any:
        """Of now."""
        ...

    def seconds(self, earlier: Any, later: Any) -> float:
        """Between two stamps."""
        ...


class HostClock:
    """Of a process that computes by itself."""

    def stamp(self) -> float:
        """Seconds of a monotonic clock."""
        return time.perf_counter()

    def seconds(self, earlier: float, later: float) -> float:
        """Their difference."""
        return later - earlier


class CudaClock:
    """Stamps are put into the device's queue, which runs behind the process.

    A phase so gets the time for which the device worked on it or waited in it: input that is
    ready before the device has finished the step before takes none.
    """

    def stamp(self) -> torch.cuda.Event:
        """An event in the current stream."""
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def seconds(self, earlier: torch.cuda.Event, later: torch.cuda.Event) -> float:
        """Waits for the later one."""
        later.synchronize()
        return float(earlier.elapsed_time(later)) / 1e3


def clock_of(device: torch.device) -> Clock:
    """The clock of what is computed on a device."""
    return CudaClock() if device.type == "cuda" else HostClock()


class Stopwatch:
    """Notes each change of phase; sums are made when it is read, not in the step."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._phase = START
        self._last = clock.stamp()
        self._step_began = self._last
        self._changes: list[tuple[str, Any]] = []
        self._ends: list[tuple[Any, float]] = []

    def switch(self, phase: str) -> str:
        """From now on it is this phase; gives the one before."""
        before = self._phase
        if phase != before:
            self._changes.append((before, self._clock.stamp()))
            self._phase = phase
        return before

    @contextmanager
    def inside(self, phase: str) -> Iterator[None]:
        """A phase within another."""
        before = self.switch(phase)
        try:
            yield
        finally:
            self.switch(before)

    def steps_begin(self) -> None:
        """The first step begins now."""
        self._step_began = self._clock.stamp()

    def step_ended(self, samples: float) -> None:
        """A step ends now, with all that came since the one before."""
        self._ends.append((self._clock.stamp(), samples))

    def read(self) -> tuple[dict[str, float], list[tuple[float, float]]]:
        """Seconds of each phase, and (seconds, samples) of each step, since the last reading."""
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
