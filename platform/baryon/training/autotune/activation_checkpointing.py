"""Activation checkpointing: blocks forget what they computed, and compute it again in backward.

Chen et al., "Training deep nets with sublinear memory cost" (arXiv:1604.06174).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from baryon.errors import BaryonError

REMEMBERS = "remembers"


def apply_activation_checkpointing(model: nn.Module) -> None:
    """From now on only the inputs of the model's blocks are kept for backward.

    Of an `nn.Sequential` of n layers with weights a block is about the root of n of them, with the
    layers without weights that follow each (an operation in place must not come first: it would
    change what the block starts from); of any other model the members of each `nn.ModuleList`.
    Names of parameters stay.

    Raises `BaryonError` if there are no such blocks, or a layer counts its batches, which it would
    do twice.
    """
    for name, module in model.named_modules():
        if getattr(module, "track_running_stats", False):
            raise BaryonError(
                f"train.activation_checkpointing computes layer {name!r} "
                f"({type(module).__name__}) twice, which would count each batch twice in its "
                "running statistics: set it to false"
            )
    if isinstance(model, nn.Sequential):
        _forget_sequential(model)
        return
    blocks = [b for m in model.modules() if isinstance(m, nn.ModuleList) for b in m]
    if not blocks:
        raise BaryonError(
            f"train.activation_checkpointing finds no blocks in {type(model).__name__}: it knows "
            "nn.Sequential and nn.ModuleList; set it to false"
        )
    for block in blocks:
        block.forward = _forgetting(block.forward, model)


def _forget_sequential(model: nn.Sequential) -> None:
    stages = list(_stages(model))
    count = round(math.sqrt(len(stages)))
    blocks = [list(chain(*stages[n : n + count])) for n in range(0, len(stages), count)]

    def forward(value: Any) -> Any:
        for block in blocks:
            value = _forgetting(_chain(block), model)(value)
        return value

    model.forward = forward  # type: ignore[method-assign]


def _stages(model: nn.Sequential) -> Iterator[list[nn.Module]]:
    """A layer with weights, and the layers without that follow it."""
    stage: list[nn.Module] = []
    for layer in model:
        if stage and next(layer.parameters(), None) is not None:
            yield stage
            stage = []
        stage.append(layer)
    yield stage


def _chain(layers: list[nn.Module]) -> Any:
    def call(value: Any) -> Any:
        for layer in layers:
            value = layer(value)
        return value

    return call


def _forgetting(call: Any, model: nn.Module) -> Any:
    def forward(*arguments: Any, **named: Any) -> Any:
        if getattr(model, REMEMBERS, False):
            return call(*arguments, **named)
        return checkpoint(call, *arguments, use_reentrant=False, **named)

    return forward


@contextmanager
def without_checkpointing(model: nn.Module) -> Iterator[None]:
    """Within it the model keeps its activations, and computes nothing twice."""
    setattr(model, REMEMBERS, True)
    try:
        yield
    finally:
        delattr(model, REMEMBERS)
