"""Evaluate the weights of a run once more."""

from __future__ import annotations

from baryon.api.evaluating import evaluate_run
from baryon.commands.arguments import Arguments
from baryon.plugins.registry import checked_plugins
from baryon.runs import directory as run_directory


def run(arguments: Arguments) -> int:
    """Load the frozen config and the weights, evaluate, write the answer and show it."""
    evaluate_run(
        run_directory.find(arguments["run"]),
        checked_plugins(),
        arguments.overrides,
        split=arguments["split"],
        weights=arguments["weights"],
    )
    return 0
