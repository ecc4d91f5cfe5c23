"""Learning-rate schedules: what the rate is multiplied by at each update."""

from __future__ import annotations

import math

from baryon.config.schemas import Train


def rate_factor(update: int, train: Train, total_steps: int, steps_per_epoch: int) -> float:
    """Factor of the learning rate at update number `update`, counted from 0.

    A linear rise over `warmup_steps`, then `constant`; `cosine` or `linear` down to zero at
    `total_steps`; or `step`, times `step_factor` every `step_epochs`.
    """
    if update < train.warmup_steps:
        return (update + 1) / train.warmup_steps
    if train.schedule == "step":
        return float(train.step_factor ** (update // (train.step_epochs * steps_per_epoch)))
    done = min(1.0, (update - train.warmup_steps) / max(1, total_steps - train.warmup_steps))
    if train.schedule == "cosine":
        return (1 + math.cos(math.pi * done)) / 2
    return 1 - done if train.schedule == "linear" else 1.0
