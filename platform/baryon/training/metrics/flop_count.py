"""Count floating-point operations with PyTorch's counter: a multiply-add counts as two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from baryon.training.uncompiled import UncompiledFlopCounter

T = TypeVar("T")


@dataclass(frozen=True)
class Operations:
    """Floating-point operations of one sample in training, forward and backward.

    Attributes
    ----------
    per_sample : all operations
    by_layer : operations of each module without submodules, by its name; those without any left out

    """

    per_sample: float
    by_layer: Mapping[str, float]


class OperationCounter:
    """Context in which the operations of work on `samples` samples are counted.

    Attributes
    ----------
    operations : the count, once the context was left without an exception

    """

    operations: Operations

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self._counter = UncompiledFlopCounter(display=False)

    def __enter__(self) -> Self:
        self._counter.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._counter.__exit__(*exception)  # type: ignore[no-untyped-call]
        by_module = {n: sum(ops.values()) for n, ops in self._counter.get_flop_counts().items()}
        total = by_module.pop("Global", 0)
        # PyTorch names a module "<class of the model>.<its name>", and counts parents as well.
        leaves = {
            name.partition(".")[2]: flops / self._samples
            for name, flops in by_module.items()
            if flops and not any(other.startswith(f"{name}.") for other in by_module)
        }
        by_layer = {name: flops for name, flops in leaves.items() if name}
        self.operations = Operations(total / self._samples, by_layer)


def counting(work: Callable[[], T], samples: int) -> tuple[T, Operations]:
    """Do some work on tensors; return its result and its operations."""
    with OperationCounter(samples) as counter:
        result = work()
    return result, counter.operations
