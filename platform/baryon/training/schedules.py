"""Learning-rate schedules."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from baryon.config.schemas import Train

# Looked up without a default: a name that the schema allows and this file lacks must not train at a
# constant rate.
DECAYS: Mapping[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "cosine": lambda progress: (1 + math.cos(math.pi * progress)) / 2,
    "linear": lambda progress: 1 - progress,
}
"""Schedule -> its factor, given the part of the steps after the warm-up that is done."""


def rate_factor(step: int, train: Train, total_steps: int, steps_per_epoch: int) -> float:
    """Return the factor of `train.learning_rate` in a step.

    A linear rise over `train.warmup_steps`, then what `train.schedule` says: `constant`; `cosine`
    or `linear`, which end at zero after `total_steps`; or `step`, which multiplies by
    `train.step_factor` every `train.step_epochs` epochs.

    Parameters
    ----------
    step
        Number of the step of the run, counted from 0. A parameter server applies the gradients of
        several groups in one step of the run: all of them have that step's factor.
    train
        The section `train` of the config.
    total_steps
        Steps of the whole run.
    steps_per_epoch
        Steps of one epoch.

    """
    if step < train.warmup_steps:
        return (step + 1) / train.warmup_steps
    if train.schedule == "step":
        return float(train.step_factor ** (step // (train.step_epochs * steps_per_epoch)))
    progress = (step - train.warmup_steps) / max(1, total_steps - train.warmup_steps)
    progress = min(1.0, progress)
    return DECAYS[train.schedule](progress)
