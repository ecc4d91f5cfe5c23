"""How many samples fit: the peak memory of a step's tensors, measured with a few samples."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from baryon.errors import BaryonError

GIB = 2**30


def peak_bytes(work: Callable[[], object]) -> int:
    """Most bytes that tensors made by `work` took at any one time.

    Counted at every operation, so it is exact and the same on every device; what a library takes
    inside of one operation is not seen.
    """
    alive = _Alive()
    with alive:
        work()
    return alive.peak


class _Alive(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the storages that operations return until they are freed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak: int = 0
        self._bytes = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        del types
        known = {id(s) for s in map(_storage, tree_leaves((args, kwargs))) if s is not None}
        result = func(*args, **(kwargs or {}))
        for storage in map(_storage, tree_leaves(result)):
            if storage is not None and id(storage) not in self._known | known:
                self._follow(storage)
        return result

    def _follow(self, storage: torch.UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()

        def freed() -> None:
            self._known.discard(key)
            self._bytes -= size

        weakref.finalize(storage, freed)
        self._known.add(key)
        self._bytes += size
        self.peak = max(self.peak, self._bytes)


def _storage(value: Any) -> torch.UntypedStorage | None:
    return value.untyped_storage() if isinstance(value, torch.Tensor) else None


def largest_micro_batch(
    measure: Callable[[int], int], own: int, samples: int, budget_gib: float
) -> tuple[int, float]:
    """The largest micro-batch of even parts of `samples` that fits, and the GiB it takes.

    `measure(n)` is the peak of a step with n samples, tried with 1, 2, 4 ... as long as twice as
    many are expected to fit; `own` are the bytes of the model. Raises `BaryonError` if not even
    one sample fits.
    """
    budget = budget_gib * GIB - own
    count, here = 1, measure(1)
    each = here  # not yet known how much of it grows with the samples
    if here > budget:
        raise BaryonError(
            f"one sample needs {(own + here) / GIB:.3g} GiB, more than train.memory_gib="
            f"{budget_gib:g}: give more, or train.activation_checkpointing=true"
        )
    while 2 * count <= samples and here + each * count <= budget:
        twice = measure(2 * count)
        each = max(1, (twice - here) // count)
        if twice > budget:
            break
        count, here = 2 * count, twice
    fitting = min(samples, int(count + (budget - here) // each))
    pieces = -(-samples // fitting)
    size = -(-samples // pieces)
    return size, (own + here + (size - count) * each) / GIB
