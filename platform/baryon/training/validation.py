"""Validate at the end of epochs, and keep the best weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from baryon.data.loader import Loader
from baryon.errors import BaryonError
from baryon.terminal.console import warn
from baryon.terminal.training_progress import describe
from baryon.training.build import VALIDATION
from baryon.training.checkpoints.writer import CheckpointWriter
from baryon.training.evaluation import unusable_rows, validation_loss
from baryon.training.metrics.stopwatch import CHECKPOINT, EVALUATION, Stopwatch
from baryon.training.stop_request import StopRequest
from baryon.training.training_log import TrainingLog
from baryon.training.training_run import TrainingRun
from baryon.training.weight_average import WeightAverage

Observer = Callable[[int, Mapping[str, float]], bool]
"""Called with the epoch (from 1) and the loss terms of each validation; True stops the run."""


class Validation:
    """The validation of one run; does nothing if the dataset has no validation split."""

    def __init__(
        self,
        run: TrainingRun,
        log: TrainingLog,
        checkpoints: CheckpointWriter,
        average: WeightAverage,
        stopwatch: Stopwatch,
        stop: StopRequest,
        observe: Observer | None,
    ) -> None:
        self._run, self._log, self._checkpoints = run, log, checkpoints
        self._average, self._stopwatch = average, stopwatch
        self._stop, self._observe = stop, observe
        has_split = VALIDATION in run.components.dataset.splits
        self._loader: Loader | None = run.components.loader(VALIDATION) if has_split else None

    def end_epoch(self, show: Callable[[str], None]) -> None:
        """Validate if it is due, and save the weights if they are the best so far. Collective.

        Where an average of the weights is kept, it is the average that is validated and saved.

        Parameters
        ----------
        show
            Called with a line of text for the terminal.

        """
        epoch = self._run.state.epoch + 1
        due = epoch % self._run.config.train.validate_every_epochs == 0 or self._run.state.ends_run
        if self._loader is None or not due:
            return
        with self._stopwatch.inside(EVALUATION):
            # Groups and servers may hold different weights: what is validated must be one set of
            # them.
            self._run.components.comm.synchronize()
            self._average.synchronize(self._run.components.comm)
            with self._average.in_model():
                values = validation_loss(self._run.components, self._loader)
                if all(map(math.isfinite, values.values())):
                    self._accept(epoch, values, show)
                else:
                    self._refuse(epoch, self._loader, values)
            self._run.state.early_stopping.observe(values["loss"])
            if self._run.state.early_stopping.is_due and not self._run.state.ends_run:
                self._end_early(show)

    def _accept(self, epoch: int, values: Mapping[str, float], show: Callable[[str], None]) -> None:
        """Log a validation, and save the weights if they are the best so far."""
        self._log.record("validation", values)
        self._ask_observer(epoch, values)
        is_best = values["loss"] < self._run.state.best
        of_average = " of averaged weights" if self._average.is_kept else ""
        best = "  (best so far)" if is_best else ""
        show(f"epoch {epoch}: validation{of_average} {describe(values)}{best}")
        if is_best:
            self._run.state.best = values["loss"]
            with self._stopwatch.inside(CHECKPOINT):
                self._checkpoints.save_best()

    def _end_early(self, show: Callable[[str], None]) -> None:
        """End the run with the step just taken; the same on all workers."""
        state, planned_steps = self._run.state, self._run.state.total_steps
        state.end_here()
        validations, lowest = state.early_stopping.validations, state.early_stopping.lowest
        self._log.record(
            "early_stop",
            {"planned_steps": planned_steps, "validations": validations, "lowest": lowest},
        )
        show(
            f"stopped early at step {state.step} of {planned_steps}: no improvement of the "
            f"validation loss in {validations} validations (lowest {lowest:.4g})"
        )

    def _ask_observer(self, epoch: int, values: Mapping[str, float]) -> None:
        # The leader alone asks: the other ranks learn of it when all agree on stopping.
        if self._observe is None or not self._run.components.comm.is_leader:
            return
        if self._observe(epoch, values):
            self._stop.asked = True

    def _refuse(self, epoch: int, loader: Loader, values: Mapping[str, float]) -> None:
        """Raise `BaryonError`, or only warn with `train.nonfinite=skip`. Collective."""
        terms = [name for name, value in values.items() if not math.isfinite(value)]
        text = (
            f"the validation loss of epoch {epoch} is not finite ({', '.join(terms[1:] or terms)})"
            f": {unusable_rows(self._run.components, loader)} of split {VALIDATION!r}"
        )
        if self._run.config.train.nonfinite != "skip":
            raise BaryonError(f"{text}; look at the data; {self._checkpoints.last_good()}")
        warn(f"{text}; this validation chooses no best weights")
