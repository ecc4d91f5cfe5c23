"""Evaluate the weights of a run once more."""

from __future__ import annotations

from contextlib import closing

from baryon.commands.arguments import Arguments
from baryon.config import frozen_file
from baryon.launch.environment import cluster_environment
from baryon.plugins.registry import discover
from baryon.runs import directory as run_directory
from baryon.runs.directory import RunDirectory


def run(arguments: Arguments) -> int:
    """Load the frozen config and the weights, evaluate, write the answer and show it."""
    directory = run_directory.find(arguments["run"])
    plugins = discover()
    plugins.check()
    # However it was trained: an evaluation needs no more than a sum over its workers.
    name = "serial" if cluster_environment().ranks == 1 else "sync"
    overrides = [f"comm={name}", *arguments.overrides]
    config = frozen_file.read(directory.config, overrides, plugins)

    from baryon.commands.run_weights import chosen_weights, load_weights
    from baryon.training.build import build_components
    from baryon.training.consistency import distributed_run
    from baryon.training.final_evaluation import evaluate_and_write

    weights = chosen_weights(directory, arguments["weights"], config.train.weights)
    with (
        distributed_run(config, plugins) as comm,
        closing(build_components(config, plugins, comm)) as components,
    ):
        split = arguments["split"] or components.held_out
        components.loader(split)  # fails before a folder is made
        load_weights(components.runner, weights)
        path = comm.broadcast(directory.new_evaluation().path if comm.is_leader else None)
        evaluate_and_write(RunDirectory(path), config, components, split)
    return 0
