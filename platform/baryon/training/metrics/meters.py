"""Measure a run over all its processes: rates, phases, operations, goodput."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from baryon.training.metrics.flop_count import Operations
from baryon.training.metrics.rates import Rates
from baryon.training.metrics.stopwatch import EVALUATION, PHASES, PRODUCTIVE_PHASES, Stopwatch


class Meters:
    """Reads the stopwatch at every line of the log.

    Attributes
    ----------
    operations : operations of a sample; counted in the first step, and kept in checkpoints
    peak_flops : peak TFLOP/s of all workers together; 0 until it is measured

    """

    def __init__(self, stopwatch: Stopwatch, workers: float = 1.0) -> None:
        self.operations: Operations | None = None
        self.peak_flops = 0.0
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
        """Return the wall-clock time of the training, summed over the starts of the run."""
        return self._before + time.monotonic() - self._started

    def samples_to_read(self) -> float:
        """Return the number of this worker's samples since the last reading."""
        self._take()
        return sum(samples for _, samples in self._steps)

    def read(self, worker_samples: float, all_samples: float) -> dict[str, Any]:
        """Return rates and the milliseconds a step of each phase since the last reading.

        Parameters
        ----------
        worker_samples
            This worker's samples since then.
        all_samples
            Those of all workers.

        """
        self._take()
        phases, steps = self._interval, self._steps
        self._interval, self._steps = {}, []
        self._workers = all_samples / worker_samples if worker_samples else 0.0
        self._rates.add((seconds, samples * self._workers) for seconds, samples in steps)
        self._samples += all_samples
        # The rate is that of training: validation takes its time at the end of an epoch, and would
        # be a dip in the curve.
        training = sum(phases.values()) - phases.get(EVALUATION, 0.0)
        per_second = all_samples / max(training, 1e-9)
        count = max(1, len(steps))
        return {
            "samples_per_second": per_second,
            "tflops_per_second": self._tflops(per_second),
            "mfu": self._mfu(per_second),
            "ms": {phase: 1e3 * seconds / count for phase, seconds in phases.items()},
        }

    def _take(self) -> None:
        """Add up what the stopwatch has noted."""
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
        """Return the measurements of the whole run, as the line `meters` of the log holds them."""
        seconds = self.seconds()
        rates = {
            "peak": self._rates.peak,
            "sustained": self._rates.sustained,
            "whole run": self._samples / max(seconds, 1e-9),
        }
        productive = sum(self._phases[phase] for phase in PRODUCTIVE_PHASES)
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
            "goodput": productive / max(seconds, 1e-9),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs; what was not read yet is counted as well."""
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
        """Go on from a state that `state_dict` returned.

        `reached` are the seconds in the log's last line. What the log has beyond the checkpoint is
        lost time: those steps are trained again.
        """
        self._rates.load_state_dict(state["rates"])
        self._phases = dict.fromkeys(PHASES, 0.0) | state["phases"]
        self._samples = state["samples"]
        # Between two lines of the log the checkpoint may be ahead of it: then nothing is lost.
        lost = max(0.0, reached - state["seconds"])
        self._lost = state["lost"] + lost
        self._before = state["seconds"] + lost
        if state["operations"] is not None:
            self.operations = Operations(**state["operations"])
