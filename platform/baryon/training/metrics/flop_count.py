"""Floating-point operations, counted by PyTorch (2 x multiply-adds)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from baryon.training.uncompiled import UncompiledFlopCounter

T = TypeVar("T")


@dataclass(frozen=True)
class Operations:
    """Of a step, forward and backward, divided by its samples."""

    per_sample: float
    by_layer: Mapping[str, float]
    """A layer is a module without parts of its own; those without operations are left out."""


def counting(work: Callable[[], T], samples: int) -> tuple[T, Operations]:
    """Do some work on tensors and count its operations."""
    with UncompiledFlopCounter(display=False) as counter:
        result = work()
    everywhere = {name: sum(ops.values()) for name, ops in counter.get_flop_counts().items()}
    total = everywhere.pop("Global", 0)
    leaves = {
        name.partition(".")[2]: flops / samples
        for name, flops in everywhere.items()
        if flops and not any(other.startswith(f"{name}.") for other in everywhere)
    }
    return result, Operations(total / samples, {name: f for name, f in leaves.items() if name})
