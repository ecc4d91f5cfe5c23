"""Train a model, or with `-m` a sweep of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from baryon.commands.arguments import Arguments
from baryon.commands.composing import compose_or_print
from baryon.config import primary
from baryon.config.compose import Composer
from baryon.errors import BaryonError
from baryon.plugins.registry import discover

if TYPE_CHECKING:
    from omegaconf import DictConfig


def run(arguments: Arguments) -> int:
    """Compose the config, then train once, or once for every job of a sweep.

    Raises `SystemExit` when a signal has stopped the run.
    """
    plugins = discover()
    plugins.check()
    if arguments["multirun"]:
        _sweep(arguments, Composer(plugins, arguments["config_dir"]))
        return 0
    composition = compose_or_print(primary.RUN, arguments, plugins)
    if composition is None:
        return 0
    _require_no_launch(composition.config)
    config = composition.frozen()

    from baryon.training import run as training_run

    label = composition.options.get("experiment") or config.choices["model"].name
    training_run.start(config, plugins, label)
    return 0


def _sweep(arguments: Arguments, composer: Composer) -> None:
    from baryon.sweeps import command

    if arguments["cfg"] is not None:
        raise BaryonError("--cfg shows one config and -m makes many: leave one of them out")
    folder = arguments["config_dir"]
    flags = ["--multirun", *([] if folder is None else ["--config-dir", folder])]
    command.run(composer, arguments.overrides, flags)


def _require_no_launch(composed: DictConfig) -> None:
    """Raise `BaryonError` for options of sweeps that a single run would pass over."""
    launch = composed.launch
    if launch.where != "here" or launch.ranks != 1:
        raise BaryonError(
            "launch=... is where the jobs of a sweep run: add -m, or start one run with several "
            "ranks by `baryon launch ranks=<N> train ...`"
        )
