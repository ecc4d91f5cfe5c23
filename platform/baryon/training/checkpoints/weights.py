"""Put the weights of a checkpoint into a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from baryon.errors import BaryonError


def put_weights(model: torch.nn.Module, state: Mapping[str, Any], path: Path) -> None:
    """Load the weights of a checkpoint that was read from `path`.

    Raises `BaryonError` if they do not fit the model.
    """
    try:
        model.load_state_dict(state["model"])
    except (RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise BaryonError(f"{path} does not fit the model of this config: {reason}") from error
