"""Which weights of a run a command works with."""

from __future__ import annotations

from pathlib import Path

from baryon.errors import BaryonError
from baryon.runs.directory import RunDirectory
from baryon.training.checkpoints.folder import BEST, LAST


def chosen_weights(run: RunDirectory, wanted: str | None, usual: str) -> Path:
    """The checkpoint that is `wanted`, best or last; else the `usual` one, if the run has it.

    Raises `BaryonError` for another name.
    """
    path = run.checkpoints / f"{wanted or usual}.pt"
    if wanted is None and not path.is_file():
        path = run.checkpoints / LAST  # a run without validation has no best
    if path.name not in (BEST, LAST):
        raise BaryonError(f"weights={wanted} is not known; choose from: best, last")
    return path
