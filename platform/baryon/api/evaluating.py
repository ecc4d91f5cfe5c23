"""Evaluate the weights of a run once more."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from baryon.api.trained_config import trained_config
from baryon.plugins.registry import Plugins
from baryon.runs.directory import RunDirectory


def evaluate_run(
    run: RunDirectory,
    plugins: Plugins,
    overrides: Sequence[str] = (),
    *,
    split: str | None = None,
    weights: str | None = None,
) -> RunDirectory:
    """Evaluate, write the answer into a new folder below `evaluations/`, show it.

    Parameters
    ----------
    run
        The run; its own answer stays.
    plugins
        All installed plugins.
    overrides
        Changes of the frozen config.
    split
        The split; None takes the first there is of test, val and train.
    weights
        `"best"`, `"last"` or `"ema"`; None takes what the config says.

    Returns
    -------
    RunDirectory
        The new folder.

    Raises
    ------
    BaryonError
        If the run, its data, the split or the weights are not there.

    """
    config = trained_config(run, overrides, plugins)

    # All of these import PyTorch, which a wrong override need not wait for.
    from baryon.api.weights import chosen_weights, load_weights
    from baryon.training.build import build_components
    from baryon.training.consistency import distributed_run
    from baryon.training.final_evaluation import evaluate_and_write

    checkpoint = chosen_weights(run, weights, config.train.weights)
    with (
        distributed_run(config, plugins) as comm,
        closing(build_components(config, plugins, comm)) as components,
    ):
        split = split or components.evaluation_split
        components.loader(split)  # fails before a folder is made
        load_weights(components.runner, checkpoint)
        path = comm.broadcast(run.new_evaluation().path if comm.is_leader else None)
        evaluate_and_write(RunDirectory(path), config, components, split)
    return RunDirectory(path)
