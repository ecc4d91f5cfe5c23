"""Read the config of a run whose trained model is put to use."""

from __future__ import annotations

from collections.abc import Sequence

from baryon.config import frozen_file
from baryon.config.config import Config
from baryon.launch.environment import cluster_environment
from baryon.plugins.registry import Plugins
from baryon.runs.directory import RunDirectory


def trained_config(run: RunDirectory, overrides: Sequence[str], plugins: Plugins) -> Config:
    """Return the frozen config of a run, with overrides, for the ranks of this process.

    Raises `BaryonError` as `baryon.config.frozen_file.read` does.
    """
    # However it was trained: evaluation and prediction only add up, or gather, what their workers
    # have, which needs no parameter servers.
    comm = "serial" if cluster_environment().ranks == 1 else "sync"
    return frozen_file.read(run.config, [f"comm={comm}", *overrides], plugins)
