"""Decide what happens when a loss or a weight is not finite: stop the run or skip the samples."""

from __future__ import annotations

import torch

from baryon.errors import BaryonError
from baryon.interfaces import Batch
from baryon.terminal.console import warn
from baryon.training import nonfinite, rng
from baryon.training.backward import Gradient, NotFiniteError
from baryon.training.checkpoints.writer import CheckpointWriter
from baryon.training.training_run import TrainingRun

MOST_SKIPPED = 10
"""Steps in a row whose samples may be skipped before the run is stopped."""


class NonFiniteGuard:
    """Saves the batches whose loss is not finite, and checks the weights now and then."""

    def __init__(self, run: TrainingRun, checkpoints: CheckpointWriter, gradient: Gradient) -> None:
        self._run, self._checkpoints, self._gradient = run, checkpoints, gradient
        self._skipped_in_a_row = 0
        self._checked_step = 0

    def skip_or_raise(self, error: NotFiniteError, batch: Batch, random: rng.RandomState) -> None:
        """Save the batch for a replay, then warn that its samples are skipped.

        Parameters
        ----------
        error
            The loss terms.
        batch
            The batch on the device.
        random
            The state of the random generators before forward.

        Raises
        ------
        BaryonError
            With `train.nonfinite=stop`, or if too many steps in a row were skipped.

        """
        step = self._run.state.step + 1
        path = self._run.directory.path / nonfinite.FOLDER / f"step-{step}{self._worker()}.pt"
        device = self._run.components.runner.device
        random_after = rng.random_state(device)
        cause = nonfinite.save(
            path,
            self._run.components.runner,
            self._run.components.loss,
            batch,
            step=step,
            epoch=self._run.state.step // self._run.state.steps_per_epoch + 1,
            terms=error.terms,
            random=random,
            micro_batch=self._gradient.micro_batch,
        )
        rng.set_random_state(random_after, device)  # the search for the cause ran forward again
        self._skipped_in_a_row += 1
        text = f"step {step}: {cause}; the batch and its weights are in {path}"
        if self._run.config.train.nonfinite == "skip" and self._skipped_in_a_row < MOST_SKIPPED:
            warn(f"{text}; its samples are skipped")
            return
        advice = "lower train.learning_rate or set train.clip_norm"
        if nonfinite.INPUTS in cause:
            advice = "look at the data of these samples"
        raise BaryonError(f"{text}; {advice}; {self._checkpoints.last_good()}")

    def step_succeeded(self) -> None:
        """Note that the loss of a step was finite."""
        self._skipped_in_a_row = 0

    def restored(self) -> None:
        """Note that the weights come from a checkpoint, which holds finite ones only."""
        self._checked_step = self._run.state.step

    def require_finite_weights(self) -> None:
        """Raise `BaryonError` if a weight is not finite: training cannot recover from that."""
        first, self._checked_step = self._checked_step + 1, self._run.state.step
        for name, weight in self._run.components.runner.model.named_parameters():
            if not torch.isfinite(weight).all():
                raise BaryonError(
                    f"weights of {name} became infinite between steps {first} and "
                    f"{self._run.state.step}: lower train.learning_rate or set train.clip_norm; "
                    f"{self._checkpoints.last_good()}"
                )

    def _worker(self) -> str:
        """Return the part of the file's name that tells several workers apart."""
        shard = self._run.components.comm.shard
        if shard.num_groups * shard.group_size == 1:
            return ""
        return f"-worker-{shard.group * shard.group_size + shard.rank}"
