"""Checkpoints: written whole or not at all, read without running any code in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from baryon.errors import BaryonError
from baryon.files import replacing

LAST, BEST = "last.pt", "best.pt"


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values. Raises `BaryonError` when the disk is full; the old stays."""
    with replacing(path) as temporary:
        try:
            torch.save(dict(state), temporary)
        except RuntimeError as error:  # how torch reports a failed write
            raise OSError(_reason(error)) from error


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint to the CPU. Raises `BaryonError` if it is missing or damaged."""
    if not path.is_file():
        raise BaryonError(f"{path} does not exist: the run was stopped before its first checkpoint")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise BaryonError(f"{path} is no readable checkpoint ({_reason(error)})") from error
    return state


def load_weights(model: torch.nn.Module, path: Path) -> None:
    """Put a checkpoint's weights into a model. Raises `BaryonError` if they do not fit."""
    put_weights(model, load(path), path)


def put_weights(model: torch.nn.Module, state: Mapping[str, Any], path: Path) -> None:
    """The same with a checkpoint that was read from `path`."""
    try:
        model.load_state_dict(state["model"])
    except (RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise BaryonError(f"{path} does not fit the model of this config: {reason}") from error


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
