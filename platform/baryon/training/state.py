"""Hold where a training run stands between two steps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from baryon.training.early_stopping import EarlyStopping


@dataclass
class TrainingState:
    """The number of steps taken, and what follows from it."""

    total_steps: int
    steps_per_epoch: int
    step: int = 0
    """Steps taken so far, which is also the number, from 0, of the step to take next."""
    best: float = math.inf
    """Lowest validation loss so far."""
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)

    def end_here(self) -> None:
        """Make the step just taken the last one of the run."""
        self.total_steps = self.step

    @property
    def epoch(self) -> int:
        """The epoch, counted from 0, that the last step belonged to."""
        return max(0, self.step - 1) // self.steps_per_epoch

    @property
    def ends_run(self) -> bool:
        """Whether the last step has been taken."""
        return self.step == self.total_steps

    @property
    def ends_epoch(self) -> bool:
        """Whether the step just taken was the last of its epoch or of the run."""
        return self.step % self.steps_per_epoch == 0 or self.ends_run
