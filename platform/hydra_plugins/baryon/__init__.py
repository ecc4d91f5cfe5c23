"""Baryon's sweeper, where Hydra makes sweepers from: it takes none of another namespace.

Hydra imports this at every start of any program that uses it: nothing heavy may be imported here.
"""

from __future__ import annotations

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class BaryonSweeper(Sweeper):
    """Hands a sweep over to `baryon.sweeps`."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Called by Hydra."""
        self.hydra_context, self.config, self._task = hydra_context, config, task_function

    def sweep(self, arguments: list[str]) -> Any:
        """Called by Hydra. Raises `BaryonError` for what is wrong before a job, or in one."""
        from baryon.sweeps.command import run

        assert self.hydra_context is not None
        assert self.config is not None
        run(self.hydra_context, self._task, self.config, arguments)
