"""Go on with a run that was stopped or killed."""

from __future__ import annotations

from baryon.commands.arguments import Arguments
from baryon.config import frozen_file
from baryon.plugins.registry import checked_plugins
from baryon.runs import directory as run_directory


def run(arguments: Arguments) -> int:
    """Train to the end; a finished run is left alone."""
    directory = run_directory.find(arguments["run"])
    # Asked here too, before plugins are imported: it is the commonest mistake.
    directory.require_unfinished()
    plugins = checked_plugins()
    config = frozen_file.read(directory.config, arguments.overrides, plugins)

    from baryon.training import run as training_run

    any_version = arguments["versions"] == "any"
    training_run.resume(directory, config, plugins, any_version=any_version)
    return 0
