"""Hold what everything that acts on a run in training needs of it."""

from __future__ import annotations

from dataclasses import dataclass

from baryon.config.config import Config
from baryon.runs.directory import RunDirectory
from baryon.training.build import RunComponents
from baryon.training.state import TrainingState


@dataclass(frozen=True)
class TrainingRun:
    """A run in training: what it is made of, what it was asked, where it lies and stands."""

    components: RunComponents
    config: Config
    directory: RunDirectory
    state: TrainingState
