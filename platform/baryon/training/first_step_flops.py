"""Count the floating-point operations of a run's first step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from baryon.interfaces import Batch
from baryon.training.backward import Gradient
from baryon.training.metrics.flop_count import OperationCounter
from baryon.training.metrics.meters import Meters


class FirstStepFlops:
    """Gives the meters the operations of one sample, unless a checkpoint has told them."""

    def __init__(self, meters: Meters, gradient: Gradient, *, recomputes: bool) -> None:
        self._meters, self._gradient, self._recomputes = meters, gradient, recomputes

    @contextmanager
    def count(self, batch: Batch) -> Iterator[None]:
        """Count forward and backward of the batch within the context, if they are still unknown."""
        if self._meters.operations is not None:
            yield
        elif self._recomputes:
            # Activation checkpointing computes parts of forward twice; they are to count once.
            self._meters.operations = self._gradient.operations_of(batch)
            yield
        else:
            self._gradient.eager = True  # a compiled network would hide its operations
            try:
                with OperationCounter(len(batch["keys"])) as counter:
                    yield
            finally:
                self._gradient.eager = False
            self._meters.operations = counter.operations
