"""Baryon's sweeper for Hydra, which takes sweepers from this namespace alone.

Hydra imports this at every start of any program that uses it: nothing heavy may be imported here.
"""

from __future__ import annotations

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class BaryonSweeper(Sweeper):
    """Hands a sweep over to `baryon.sweeps`, which must know the jobs before they are launched."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra composed; the task is not needed, for each job is its own process."""
        del task_function
        self.hydra_context, self.config = hydra_context, config

    def sweep(self, arguments: list[str]) -> Any:
        """Run the sweep. Raises `BaryonError` for what is wrong before a job, or in one."""
        from baryon.sweeps.command import run

        assert self.hydra_context is not None
        assert self.config is not None
        run(self.hydra_context, self.config, arguments)
