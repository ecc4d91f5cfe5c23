"""`baryon evaluate run=<dir>`: the evaluator's answer for a run's weights once more."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from baryon.commands.arguments import HELP_FLAGS, split_arguments
from baryon.config import config as configs
from baryon.launch.environment import cluster_environment
from baryon.plugins.registry import discover
from baryon.runs import directory as run_directory
from baryon.runs.directory import RunDirectory
from baryon.terminal.console import say

USAGE = """\
usage: baryon evaluate run=<dir> [split=test|val|train] [weights=best|last] [key=value]

Evaluate a run's weights again; the answer goes into <dir>/evaluations, the run's own stays.

  baryon evaluate run=runs/latest
  baryon evaluate run=runs/latest split=val
  baryon evaluate run=runs/latest dataset.test='other/*.h5' evaluator.bootstrap=1000
"""


def run(arguments: Sequence[str]) -> int:
    """Load the frozen config and the weights, evaluate, write and show."""
    if not arguments or any(argument in HELP_FLAGS for argument in arguments):
        say(USAGE)
        return 0 if arguments else 2
    own, overrides = split_arguments(arguments, required=("run",), optional=("split", "weights"))
    directory = run_directory.find(own["run"])
    plugins = discover()
    plugins.check()
    name = "serial" if cluster_environment().ranks == 1 else "sync"  # however it was trained
    config = configs.read(directory.config, [f"comm={name}", *overrides], plugins)

    from baryon.commands.run_weights import chosen_weights
    from baryon.training.build import build_components
    from baryon.training.checkpoints import schema
    from baryon.training.checkpoints.weights import put_weights
    from baryon.training.consistency import distributed_run
    from baryon.training.final_evaluation import evaluate_and_write
    from baryon.training.model_runner import use_saved_mode

    weights = chosen_weights(directory, own.get("weights"), config.train.weights)
    with (
        distributed_run(config, plugins) as comm,
        closing(build_components(config, plugins, comm)) as components,
    ):
        split = own.get("split", components.held_out)
        components.loader(split)  # fails before a folder is made
        state = schema.read_weights(weights)
        use_saved_mode(components.runner, state)
        put_weights(components.runner.model, state, weights)
        path = comm.broadcast(directory.new_evaluation().path if comm.is_leader else None)
        evaluate_and_write(RunDirectory(path), config, components, split)
    return 0
