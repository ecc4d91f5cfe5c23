"""Activation checkpointing: blocks forget what they computed, and compute it again in backward.

Chen et al., "Training deep nets with sublinear memory cost" (arXiv:1604.06174).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from baryon.errors import BaryonError

KEEPS_ACTIVATIONS = "keeps_activations"
"""Attribute of a model that `without_checkpointing` sets for a while."""


def apply_activation_checkpointing(model: nn.Module) -> None:
    """Let a model keep only the inputs of its blocks for backward.

    Of an `nn.Sequential` of n layers with weights a block is about the square root of n of them,
    each with the layers without weights that follow it; of any other model the blocks are the
    members of each `nn.ModuleList`. Names of parameters do not change.

    Raises
    ------
    BaryonError
        If there are no such blocks, or a layer counts its batches, which it would do twice.

    """
    for name, module in model.named_modules():
        if getattr(module, "track_running_stats", False):
            raise BaryonError(
                f"train.activation_checkpointing computes layer {name!r} "
                f"({type(module).__name__}) twice, which would count each batch twice in its "
                "running statistics: set it to false"
            )
    if isinstance(model, nn.Sequential):
        _checkpoint_sequential(model)
        return
    blocks = [b for m in model.modules() if isinstance(m, nn.ModuleList) for b in m]
    if not blocks:
        raise BaryonError(
            f"train.activation_checkpointing finds no blocks in {type(model).__name__}: it knows "
            "nn.Sequential and nn.ModuleList; set it to false"
        )
    for block in blocks:
        block.forward = _checkpointed(block.forward, model)


def _checkpoint_sequential(model: nn.Sequential) -> None:
    stages = list(_stages(model))
    count = round(math.sqrt(len(stages)))
    blocks = [list(chain(*stages[n : n + count])) for n in range(0, len(stages), count)]

    def forward(value: Any) -> Any:
        for block in blocks:
            value = _checkpointed(_compose(block), model)(value)
        return value

    model.forward = forward  # type: ignore[method-assign]


def _stages(model: nn.Sequential) -> Iterator[list[nn.Module]]:
    """Yield each layer with weights together with the layers without weights that follow it."""
    # A block must not begin with a layer without weights: an operation in place at its start would
    # change the very input from which the block is computed again, and nothing would notice.
    stage: list[nn.Module] = []
    for layer in model:
        if stage and next(layer.parameters(), None) is not None:
            yield stage
            stage = []
        stage.append(layer)
    yield stage


def _compose(layers: Sequence[nn.Module]) -> Callable[[Any], Any]:
    def call(value: Any) -> Any:
        for layer in layers:
            value = layer(value)
        return value

    return call


def _checkpointed(call: Callable[..., Any], model: nn.Module) -> Callable[..., Any]:
    def forward(*arguments: Any, **named: Any) -> Any:
        if getattr(model, KEEPS_ACTIVATIONS, False):
            return call(*arguments, **named)
        return checkpoint(call, *arguments, use_reentrant=False, **named)

    return forward


@contextmanager
def without_checkpointing(model: nn.Module) -> Iterator[None]:
    """Let a model keep its activations inside this context, so that it computes nothing twice."""
    setattr(model, KEEPS_ACTIVATIONS, True)
    try:
        yield
    finally:
        delattr(model, KEEPS_ACTIVATIONS)
