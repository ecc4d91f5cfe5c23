"""Run a trained model on new files."""

from __future__ import annotations

from pathlib import Path

from baryon.api.predicting import predict_files
from baryon.commands.arguments import Arguments
from baryon.plugins.registry import checked_plugins
from baryon.runs import directory as run_directory


def run(arguments: Arguments) -> int:
    """Load config and weights, open the files, predict, write the predictions and show them."""
    predict_files(
        run_directory.find(arguments["run"]),
        checked_plugins(),
        arguments["input"],
        arguments.overrides,
        out=Path(arguments["out"]) if arguments["out"] else None,
        weights=arguments["weights"],
    )
    return 0
