"""`baryon evaluate run=<dir>`: the evaluator's answer for a run's weights once more."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from baryon import config as configs
from baryon.cli import HELP_FLAGS
from baryon.launched import launched
from baryon.plugins import discover
from baryon.reporting import run_directory
from baryon.reporting.console import say
from baryon.reporting.run_directory import RunDirectory
from baryon.verbs.run_arguments import split_arguments

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
    name = "serial" if launched().ranks == 1 else "sync"  # however it was trained
    config = configs.read(directory.config, [f"comm={name}", *overrides], plugins)

    from baryon.training import session
    from baryon.training.agreement import together
    from baryon.training.checkpoints import schema
    from baryon.training.checkpoints.weights import put_weights
    from baryon.training.parts import build_parts
    from baryon.verbs.run_weights import chosen_weights

    weights = chosen_weights(directory, own.get("weights"), config.train.weights)
    with together(config, plugins) as comm, closing(build_parts(config, plugins, comm)) as parts:
        split = own.get("split", parts.held_out)
        parts.loader(split)  # fails before a folder is made
        state = schema.read_weights(weights)
        session.compute_like(parts.network, state)
        put_weights(parts.network.model, state, weights)
        path = comm.broadcast(directory.new_evaluation().path if comm.leads else None)
        session.answer(RunDirectory(path), config, plugins, parts, split)
    return 0
