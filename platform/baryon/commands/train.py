"""Train a model, or with `-m` a sweep of models."""

from __future__ import annotations

from baryon.api.training import require_single_run
from baryon.commands.arguments import Arguments
from baryon.commands.composing import compose_or_print
from baryon.config import primary
from baryon.config.compose import Composer
from baryon.errors import BaryonError
from baryon.plugins.registry import checked_plugins


def run(arguments: Arguments) -> int:
    """Compose the config, then train once, or once for every job of a sweep.

    Raises `SystemExit` when a signal has stopped the run.
    """
    plugins = checked_plugins()
    if arguments["multirun"]:
        _sweep(arguments, Composer(plugins, arguments["config_dir"]))
        return 0
    composition = compose_or_print(primary.RUN, arguments, plugins)
    if composition is None:
        return 0
    require_single_run(composition)
    config = composition.frozen()

    # Imported when all else is right: a wrong key is said before PyTorch has been loaded.
    from baryon.training import run as training_run

    training_run.start(config, plugins, composition.label)
    return 0


def _sweep(arguments: Arguments, composer: Composer) -> None:
    from baryon.api.folds import evaluate_new_folds
    from baryon.sweeps import command

    if arguments["cfg"] is not None:
        raise BaryonError("--cfg shows one config and -m makes many: leave one of them out")
    folder = arguments["config_dir"]
    flags = ["--multirun", *([] if folder is None else ["--config-dir", folder])]
    evaluate_new_folds(command.run(composer, arguments.overrides, flags), checked_plugins())
