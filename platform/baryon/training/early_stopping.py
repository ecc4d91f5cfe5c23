"""Notice that the validation loss of a run falls no more."""

from __future__ import annotations

import math
from typing import TypedDict


class EarlyStoppingState(TypedDict):
    """State of `EarlyStopping` for a checkpoint."""

    lowest: float
    validations: int


class EarlyStopping:
    """Count the validations in a row that did not lower the validation loss.

    It is the loss by which the best weights are chosen. All workers validate together and see the
    same sums, so they decide the same without asking one another, whatever the communicator.

    Attributes
    ----------
    lowest : the loss that the next validations are compared with
    validations : number of validations since then

    """

    def __init__(self, patience: int | None = None, min_improvement: float = 0.0) -> None:
        """`patience` is the number of such validations that ends a run; with None nothing does."""
        self._patience, self._min_improvement = patience, min_improvement
        self.lowest = math.inf
        self.validations = 0

    def observe(self, loss: float) -> None:
        """Account for a validation; a loss that is not a number is no improvement."""
        # `lowest` stays where it is until the loss has fallen by enough, be it in many small steps.
        if loss < self.lowest - self._min_improvement:
            self.lowest, self.validations = loss, 0
        else:
            self.validations += 1

    @property
    def is_due(self) -> bool:
        """Whether the run is to end."""
        return self._patience is not None and self.validations >= self._patience

    def state_dict(self) -> EarlyStoppingState:
        """Return what a resumed run needs to stop at the same step."""
        return {"lowest": self.lowest, "validations": self.validations}

    def load_state_dict(self, state: EarlyStoppingState) -> None:
        """Go on from the state of a checkpoint."""
        self.lowest, self.validations = state["lowest"], state["validations"]
