"""Write the lines of a run's log (`metrics.jsonl`) and hand them to the trackers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from baryon.plugins.answers import numbers
from baryon.runs.metrics_log import STEPS, MetricsLog
from baryon.terminal.console import speak
from baryon.tracking.trackers import Trackers
from baryon.training.metrics.meters import Meters
from baryon.training.run_lock import RunLock
from baryon.training.running_loss import RunningLoss
from baryon.training.training_run import TrainingRun

SAMPLES, TO_READ = "samples", "samples to read"
"""Names of sums beside those of the loss terms, so no loss term may be called like these."""
SHOWN_RATES = ("samples_per_second", "tflops_per_second")
UPDATES_PER_STEP = "updates_per_step"
"""A metric of communicators: weight updates by all groups during one step of this group."""


class TrainingLog:
    """The log of one run; only the leader writes."""

    def __init__(
        self,
        run: TrainingRun,
        meters: Meters,
        trackers: Trackers | None,
        lock: RunLock | None,
    ) -> None:
        self._comm, self._comm_name = run.components.comm, run.components.owners["comm"]
        self._directory, self._state, self._meters = run.directory, run.state, meters
        self._trackers, self._lock = trackers, lock
        self._file = MetricsLog(run.directory.log)

    def record(self, kind: str, values: Mapping[str, Any]) -> None:
        """Write a line of `kind` with the step, the epoch and the seconds since the start."""
        if not self._comm.is_leader:
            return
        if self._lock is not None:
            self._lock.acquire(
                self._directory.path
            )  # the lock may have died with the previous leader
        state = self._state
        seconds = round(self._meters.seconds(), 3)
        record = {"step": state.step, "epoch": state.epoch + 1, "seconds": seconds, **values}
        self._file.write(kind, record)
        if self._trackers is not None and not self._is_partial(record):
            self._trackers.log(kind, record)

    def record_interval(self, loss: RunningLoss, *, whole: bool) -> dict[str, float] | None:
        """Write the mean loss terms and the rates since the last call. Collective in a group.

        Parameters
        ----------
        loss
            The sums of this worker.
        whole
            False if the interval was cut short: its line then says over how many steps it is.

        Returns
        -------
        dict or None
            Loss terms and rates to show; None if the samples of all steps were skipped.

        """
        samples_here = self._meters.samples_to_read()
        sums = self._comm.all_reduce_sum(
            {**loss.sums(), SAMPLES: loss.samples, TO_READ: samples_here}, in_group=True
        )
        samples, group_samples = sums.pop(SAMPLES), sums.pop(TO_READ)
        measured = numbers(f"{self._comm_name}: metrics()", self._comm.metrics())
        # Groups need not be at the same step: the communicator tells how many updates all made.
        rates = self._meters.read(samples_here, group_samples * measured.get(UPDATES_PER_STEP, 1.0))
        if not samples:
            return None
        means = {name: value / samples for name, value in sums.items()}
        losses = {"loss": sum(means.values()), **means}
        extra = {"comm": measured} if measured else {}
        self.record("train", {**losses, **rates, **extra, **({} if whole else {STEPS: loss.steps})})
        speak(aloud=self._comm.is_leader)
        return losses | {name: rates[name] for name in SHOWN_RATES}

    def resume(self) -> float:
        """Drop the lines that a resumed run makes again; return the seconds of the last one.

        Collective.
        """
        last = self._comm.broadcast(self._file.read()[-1:] if self._comm.is_leader else None)
        if self._comm.is_leader:
            self._file.filter(self._is_kept)
        return float(last[0]["seconds"]) if last else 0.0

    def _is_kept(self, record: Mapping[str, Any]) -> bool:
        # A partial interval goes too: the resumed run finishes it and writes it whole.
        return record.get("step", math.inf) <= self._state.step and not self._is_partial(record)

    def _is_partial(self, record: Mapping[str, Any]) -> bool:
        """Return whether a line holds means over the steps until the run was stopped."""
        return STEPS in record and bool(record["step"] < self._state.total_steps)
