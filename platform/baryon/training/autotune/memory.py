"""Find how many samples fit into memory, from the peak memory of steps with a few samples."""

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
    """Return the most bytes that tensors made by `work` took at any one time.

    They are counted at every operation, so the result is exact and the same on every device. What
    a library takes inside of one operation is not seen.
    """
    alive = _LivingStorages()
    with alive:
        work()
    return alive.peak


class _LivingStorages(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the storages that operations return until they are freed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak: int = 0
        self._bytes = 0
        self._followed: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        del types
        # What an operation returns may be a view of its arguments: that takes no memory.
        arguments = {id(s) for s in map(_storage, tree_leaves((args, kwargs))) if s is not None}
        result = func(*args, **(kwargs or {}))
        for storage in map(_storage, tree_leaves(result)):
            if storage is not None and id(storage) not in self._followed | arguments:
                self._follow(storage)
        return result

    def _follow(self, storage: torch.UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()

        def freed() -> None:
            self._followed.discard(key)
            self._bytes -= size

        weakref.finalize(storage, freed)
        self._followed.add(key)
        self._bytes += size
        self.peak = max(self.peak, self._bytes)


def _storage(value: Any) -> torch.UntypedStorage | None:
    return value.untyped_storage() if isinstance(value, torch.Tensor) else None


def largest_micro_batch(
    measure: Callable[[int], int], model_bytes: int, samples: int, budget_gib: float
) -> tuple[int, float]:
    """Find the largest micro-batch that fits, when a batch is cut into even parts.

    Parameters
    ----------
    measure
        Returns the peak bytes of a step with so many samples. It is called with 1, 2, 4, ..., as
        long as twice as many are expected to fit.
    model_bytes
        Bytes of the model, which the steps do not allocate.
    samples
        Samples of a worker's batch.
    budget_gib
        GiB that everything together may take.

    Returns
    -------
    micro_batch : int
        Samples of a micro-batch.
    gib : float
        GiB that a step with it takes, as estimated from the measurements.

    Raises
    ------
    BaryonError
        If not even one sample fits.

    """
    budget = budget_gib * GIB - model_bytes
    count, peak = 1, measure(1)
    bytes_per_sample = peak  # an upper bound: it is not yet known how much grows with the samples
    if peak > budget:
        raise BaryonError(
            f"one sample needs {(model_bytes + peak) / GIB:.3g} GiB, more than train.memory_gib="
            f"{budget_gib:g}: give more, or train.activation_checkpointing=true"
        )
    while 2 * count <= samples and peak + bytes_per_sample * count <= budget:
        peak_of_twice = measure(2 * count)
        bytes_per_sample = max(1, (peak_of_twice - peak) // count)
        if peak_of_twice > budget:
            break
        count, peak = 2 * count, peak_of_twice
    fitting = min(samples, int(count + (budget - peak) // bytes_per_sample))
    parts = -(-samples // fitting)
    size = -(-samples // parts)
    return size, (model_bytes + peak + (size - count) * bytes_per_sample) / GIB
