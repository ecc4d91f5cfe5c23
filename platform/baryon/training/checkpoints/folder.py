"""Write, keep and find the checkpoints of a run.

checkpoints/step-00000120.pt     the last ones, as many as are kept
checkpoints/last.pt              the newest of them under a name that stays
checkpoints/best.pt              the lowest validation loss
checkpoints/ema.pt               the average of the weights at the end of training
checkpoints/*.shard-1-of-3.pt    parts of a large one
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from baryon.errors import BaryonError, cannot_write
from baryon.terminal.console import warn
from baryon.training.checkpoints import shards
from baryon.training.checkpoints.file import DamagedError
from baryon.training.checkpoints.names import LAST, named, steps
from baryon.training.checkpoints.schema import read_progress

GIB = 2**30
OF_STEP_OR_PART = re.compile(r"(step-\d{8,})(?:\.shard-\d+-of-\d+)?\.pt")
PART_OF_WEIGHTS = re.compile(r"((best|ema)-\d{8,})\.shard-\d+-of-\d+\.pt")
TEMPORARY = re.compile(
    r"\.(?:last|best|ema|(?:step|best|ema)-\d{8,}(?:\.shard-\d+-of-\d+)?)\.pt\.[0-9a-f]+"
)


class Folder:
    """Writes the checkpoints of a run, keeps the last ones and removes the others."""

    def __init__(self, path: Path, keep: int, shard_gib: float) -> None:
        self._path, self._keep, self._shard_bytes = path, keep, shard_gib * GIB
        for stale, _ in named(path, TEMPORARY):  # half-written when a process was killed
            stale.unlink()

    def write(self, name: str, step: int, state: Mapping[str, Any]) -> None:
        """Write a checkpoint under one of the names `LAST`, `BEST` and `EMA`.

        Raises `BaryonError` if it cannot be written; those before it stay.
        """
        if name == LAST:
            self._write_last(step, state)
        else:
            self._write_weights(name, step, state)

    def _write_last(self, step: int, state: Mapping[str, Any]) -> None:
        label = f"step-{step:08d}"
        path = self._path / f"{label}.pt"
        shards.save(path, state, self._shard_bytes, label)
        # A second name: earlier checkpoints stay readable by step if the newest is damaged, and
        # `last.pt` does not vanish while it changes.
        _give_name(path, self._path / LAST)
        self._prune()

    def _write_weights(self, name: str, step: int, state: Mapping[str, Any]) -> None:
        stem = name.removesuffix(".pt")
        label = f"{stem}-{step:08d}"
        shards.save(self._path / name, state, self._shard_bytes, label)
        for part, match in named(self._path, PART_OF_WEIGHTS):
            if match[2] == stem and match[1] != label:
                part.unlink()

    def _prune(self) -> None:
        labels = {path.stem for path in steps(self._path)[: self._keep]}
        for path, match in named(self._path, OF_STEP_OR_PART):
            if match[1] not in labels:
                path.unlink()


def load_last(folder: Path) -> tuple[dict[str, Any], Path]:
    """Read the newest checkpoint that is whole; warn of damaged ones that are newer.

    Returns
    -------
    state : dict
        What it holds.
    path : Path
        Its file.

    Raises
    ------
    BaryonError
        If there is none, or the newest holds weights alone.
    DamagedError
        If all of them are damaged.

    """
    last, paths = folder / LAST, steps(folder)
    if last.is_file():
        paths = [last, *(path for path in paths if not path.samefile(last))]
    damaged: DamagedError | None = None
    # Of a process that was killed between both names of the newest, `last` is older or missing.
    for path in paths or [last]:
        try:
            state = read_progress(path)
        except DamagedError as error:
            damaged = damaged or error
            continue
        if damaged:
            warn(f"{damaged}: going on from {path}, step {state['step']}")
        return state, path
    assert damaged is not None
    raise damaged


def _give_name(path: Path, name: Path) -> None:
    """Give a file a second name in one step; where there are no hard links, make it a copy."""
    temporary = name.parent / f".{name.name}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    try:
        try:
            temporary.hardlink_to(path)
        except OSError:
            shutil.copyfile(path, temporary)
        temporary.replace(name)
    except OSError as error:
        raise BaryonError(cannot_write(name, error)) from error
    finally:
        temporary.unlink(missing_ok=True)
