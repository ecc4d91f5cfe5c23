"""`baryon train [overrides]`: one run, or a sweep of runs with `-m`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from baryon.commands.arguments import HELP_FLAGS
from baryon.commands.options_help import options_help
from baryon.config import config
from baryon.errors import BaryonError
from baryon.plugins.registry import discover

if TYPE_CHECKING:
    from omegaconf import DictConfig

USAGE = """\
usage: baryon train [-m] [group=option] [key=value]

Train a model and say what it means to the field; the results lie in runs/latest.

  baryon train experiment=hep_demo
  baryon train dataset=hep_images dataset.train='data/*train*.h5' model=hep_cnn
  baryon train -m experiment=hep_demo train.learning_rate=1e-3,3e-4   (a sweep)
  baryon train experiment=hep_demo --cfg job                          (show the config)
  baryon train --config-dir ./mine experiment=my_study                (your own options)
"""


def run(arguments: Sequence[str]) -> int:
    """Compose the config, then train once, or once for every job of a sweep."""
    plugins = discover()
    if any(argument in HELP_FLAGS for argument in arguments):
        options_help(USAGE, plugins)
        return 0
    from baryon.sweeps.command import register as register_sweeper

    plugins.check()
    for argument in arguments:
        if argument.startswith("hydra/sweeper="):
            raise BaryonError(
                f"{argument} would not know finished jobs again: choose by sweep=grid or "
                "sweep=optuna"
            )
    register_sweeper()
    config.compose("config", arguments, train, plugins)
    return 0


def train(composed: DictConfig) -> None:
    """Do one run; raises `SystemExit` when a signal has stopped it."""
    from hydra.core.hydra_config import HydraConfig

    settings = HydraConfig.get()
    _require_no_launch(composed)
    frozen = config.freeze(composed)

    from baryon.training import run as training_run

    label = settings.runtime.choices.get("experiment") or frozen.choices["model"].name
    training_run.start(frozen, discover(), label)


def _require_no_launch(composed: DictConfig) -> None:
    """Raise `BaryonError` for options of sweeps that a single run would pass over."""
    launch = composed.launch
    if launch.where != "here" or launch.ranks != 1:
        raise BaryonError(
            "launch=... is where the jobs of a sweep run: add -m, or start one run with several "
            "ranks by `baryon launch ranks=<N> train ...`"
        )
