"""Choose and load the weights of a run to work with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from baryon.config.schemas import WEIGHTS
from baryon.errors import BaryonError
from baryon.runs.directory import RunDirectory
from baryon.training.checkpoints import schema
from baryon.training.checkpoints.names import EMA, LAST
from baryon.training.checkpoints.weights import put_weights
from baryon.training.model_runner import ModelRunner, use_saved_mode


def chosen_weights(run: RunDirectory, wanted: str | None, usual: str) -> Path:
    """Return the checkpoint that is `wanted`: best, last or ema; else the `usual` one or the last.

    A run without validation has no best weights. Raises `BaryonError` for another name, or for an
    average that the run does not have.
    """
    if wanted not in (None, *WEIGHTS):
        raise BaryonError(f"weights={wanted} is not known; choose from: {', '.join(WEIGHTS)}")
    path = run.checkpoints / f"{wanted or usual}.pt"
    # Asked for by name, missing weights are an error; as the usual ones, the last will do.
    if wanted is None and not path.is_file():
        return run.checkpoints / LAST
    if path.name == EMA and not path.is_file():
        raise BaryonError(
            f"{run.path} has no averaged weights, which are there when a run with train.ema ends: "
            "choose weights=best or weights=last"
        )
    return path


def load_weights(runner: ModelRunner, weights: Path) -> int:
    """Put a checkpoint's weights into the model, which then computes as it did in training.

    Returns the step that the weights are of.
    """
    state: dict[str, Any] = schema.read_weights(weights)
    use_saved_mode(runner, state)
    put_weights(runner.model, state, weights)
    return int(state["step"])
