"""`baryon train [overrides]`: one run, or a sweep of runs with `-m`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from baryon import config
from baryon.cli import HELP_FLAGS
from baryon.errors import BaryonError
from baryon.plugins import discover
from baryon.reporting.console import warn
from baryon.verbs.options_help import options_help

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
    plugins.check()
    config.compose("config", arguments, train, plugins)
    return 0


def train(composed: DictConfig) -> None:
    """Do one run; raises `SystemExit` when a signal has stopped it."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from baryon.training import session

    frozen = config.freeze(composed)
    settings = HydraConfig.get()
    label = settings.runtime.choices.get("experiment") or frozen.choices["model"].name
    if settings.mode == RunMode.RUN:
        session.start(frozen, discover(), label, job=None)
        return
    try:
        session.start(frozen, discover(), label, job=Path(settings.runtime.output_dir))
    except BaryonError as error:
        text = f"job {settings.job.num} ({settings.job.override_dirname}): {error}"
        warn(text)  # now: Hydra tells of a failed job only when the whole sweep is over
        raise BaryonError(text) from error
