"""Compose a config and train with it."""

from __future__ import annotations

from collections.abc import Sequence

from baryon.api.messages import messages_shown
from baryon.api.run import Run
from baryon.api.signals import interrupting
from baryon.config import config as configs
from baryon.config.config import Config
from baryon.errors import BaryonError
from baryon.plugins.registry import checked_plugins

OF_SWEEPS = ("sweep=", "sweep.", "launch=", "launch.")


def compose(overrides: Sequence[str] = ()) -> Config:
    """Return the frozen config that overrides choose, as `baryon train <overrides>` has it.

    `overrides` are those of the command line: `["experiment=hep_demo", "train.epochs=4"]`.
    Raises `BaryonError` for one that names no key, or has an impossible value.
    """
    if isinstance(overrides, str):
        raise BaryonError(f"overrides are a list: [{overrides!r}], not {overrides!r}")
    for override in overrides:
        if override.startswith(OF_SWEEPS):
            raise BaryonError(f"{override} is for sweeps: call baryon.sweep instead")
    return configs.composed(overrides, checked_plugins())


def train(config: Config | Sequence[str]) -> Run:
    """Train and evaluate one run in this process, and return it.

    `config` comes from `compose`, or is the list of overrides itself. Ctrl-C (in Jupyter: interrupt
    the kernel) ends the step, writes a checkpoint and raises `KeyboardInterrupt`;
    `Run("runs/latest").resume()` goes on from there. Raises `BaryonError` as the command does.
    """
    frozen = config if isinstance(config, Config) else compose(config)
    from baryon.training import run as training_run

    with messages_shown(), interrupting():
        path = training_run.start(frozen, checked_plugins(), frozen.label)
    return Run(path)
