"""All meters of a run, over all its processes: what is logged, and what is told in the end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from baryon.training.metrics.flop_count import Operations
from baryon.training.metrics.rates import Rates
from baryon.training.metrics.stopwatch import EVALUATION, LEARNING, PHASES, Stopwatch


class Meters:
    """Reads the stopwatch at every line of the log."""

    def __init__(self, stopwatch: Stopwatch, workers: float = 1.0) -> None:
        self.operations: Operations | None = None
        """Counted in the first step; kept in the checkpoint."""
        self.peak_flops = 0.0
        """TFLOP/s of all workers' matrix products."""
        self._stopwatch = stopwatch
        self._rates = Rates()
        self._phases = dict.fromkeys(PHASES, 0.0)
        self._interval: dict[str, float] = {}
        self._steps: list[tuple[float, float]] = []
        self._samples = 0.0
        self._workers = workers
        self._lost = 0.0
        self._before = 0.0
        self._started = time.monotonic()

    def seconds(self) -> float:
        """Wall clock of all the run's processes since they began to prepare for training."""
        return self._before + time.monotonic() - self._started

    def samples_to_read(self) -> float:
        """Return this worker's samples since the last reading."""
        self._take()
        return sum(samples for _, samples in self._steps)

    def read(self, own: float, of_all: float) -> dict[str, Any]:
        """Since the last reading: rates, and milliseconds a step of each phase.

        `own` are this worker's samples since then, `of_all` those of all workers.
        """
        self._take()
        phases, steps = self._interval, self._steps
        self._interval, self._steps = {}, []
        self._workers = of_all / own if own else 0.0
        self._rates.add((seconds, samples * self._workers) for seconds, samples in steps)
        self._samples += of_all
        training = sum(phases.values()) - phases.get(EVALUATION, 0.0)
        per_second = of_all / max(training, 1e-9)
        count = max(1, len(steps))
        return {
            "samples_per_second": per_second,
            "tflops_per_second": self._tflops(per_second),
            "mfu": self._mfu(per_second),
            "ms": {phase: 1e3 * seconds / count for phase, seconds in phases.items()},
        }

    def _take(self) -> None:
        """Take over what the stopwatch has noted."""
        phases, steps = self._stopwatch.read()
        for phase, seconds in phases.items():
            self._phases[phase] += seconds
            self._interval[phase] = self._interval.get(phase, 0.0) + seconds
        self._steps += steps

    def _tflops(self, per_second: float) -> float:
        return per_second * (self.operations.per_sample if self.operations else 0.0) / 1e12

    def _mfu(self, per_second: float) -> float:
        return self._tflops(per_second) / self.peak_flops if self.peak_flops else 0.0

    def summary(self) -> dict[str, Any]:
        """Of the whole run; rates in samples a second of all workers, by name."""
        seconds = self.seconds()
        rates = {
            "peak": self._rates.peak,
            "sustained": self._rates.sustained,
            "whole run": self._samples / max(seconds, 1e-9),
        }
        learning = sum(self._phases[phase] for phase in LEARNING)
        operations = self.operations or Operations(0.0, {})
        return {
            "rates": {
                name: {
                    "samples_per_second": rate,
                    "tflops_per_second": self._tflops(rate),
                    "mfu": self._mfu(rate),
                }
                for name, rate in rates.items()
            },
            "sustained_steps": self._rates.sustained_steps,
            "peak_tflops_per_second": self.peak_flops,
            "gflop_per_sample": operations.per_sample / 1e9,
            "gflop_by_layer": {name: f / 1e9 for name, f in operations.by_layer.items()},
            "wall_seconds": seconds,
            "phase_seconds": self._phases,
            "lost_seconds": self._lost,
            "goodput": learning / max(seconds, 1e-9),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return what it takes to go on in another process, also between two readings."""
        operations, unread = self.operations, self.samples_to_read()
        return {
            "rates": self._rates.state_dict(),
            "phases": dict(self._phases),
            "samples": self._samples + unread * self._workers,
            "lost": self._lost,
            "seconds": self.seconds(),
            "operations": operations
            and {"per_sample": operations.per_sample, "by_layer": dict(operations.by_layer)},
        }

    def load_state_dict(self, state: Mapping[str, Any], reached: float) -> None:
        """Go on from `state_dict`; `reached` are the run's seconds in the log's last line.

        What the log has beyond the checkpoint is lost: those steps are made again.
        """
        self._rates.load_state_dict(state["rates"])
        self._phases = dict.fromkeys(PHASES, 0.0) | state["phases"]
        self._samples = state["samples"]
        lost = max(0.0, reached - state["seconds"])
        self._lost = state["lost"] + lost
        self._before = state["seconds"] + lost
        if state["operations"] is not None:
            self.operations = Operations(**state["operations"])
