"""Evaluate the weights of a run, or of all folds of a sweep, once more."""

from __future__ import annotations

from pathlib import Path

from baryon.api.evaluating import evaluate_run
from baryon.commands.arguments import Arguments
from baryon.errors import BaryonError
from baryon.plugins.registry import checked_plugins
from baryon.runs import directory as run_directory


def run(arguments: Arguments) -> int:
    """Load the frozen config and the weights, evaluate, write the answer and show it."""
    plugins = checked_plugins()
    if arguments["sweep"] is not None:
        if arguments["split"] is not None:
            raise BaryonError("split=... is of a run: folds are judged on all samples")
        from baryon.api.folds import evaluate_sweep

        evaluate_sweep(
            Path(arguments["sweep"]).resolve(),
            plugins,
            arguments.overrides,
            weights=arguments["weights"],
        )
        return 0
    evaluate_run(
        run_directory.find(arguments["run"]),
        plugins,
        arguments.overrides,
        split=arguments["split"],
        weights=arguments["weights"],
    )
    return 0
