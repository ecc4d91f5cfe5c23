"""The training loss as the log shows it: the mean over whole intervals of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

State = dict[str, Any]


class RunningLoss:
    """One worker's sums of the loss terms over the steps since the last whole interval.

    An interval may span the end of an epoch and a resume: a mean of fewer steps scatters more, and
    would look like a dip or a peak of the curve.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.samples = 0
        self._sums: dict[str, torch.Tensor] = {}

    def add(self, terms: Mapping[str, torch.Tensor], samples: int) -> None:
        """Count a step: means of the loss terms over `samples`, or no terms if it had none."""
        self.steps += 1
        self.samples += samples if terms else 0
        for name, term in terms.items():
            value = term.detach() * samples
            self._sums[name] = self._sums[name] + value if name in self._sums else value

    def sums(self) -> dict[str, float]:
        """Return each loss term's sum over the samples."""
        return {name: float(value) for name, value in self._sums.items()}

    def clear(self) -> None:
        """Begin the next interval."""
        self.steps, self.samples, self._sums = 0, 0, {}

    def state_dict(self) -> State:
        """Return what a resumed run needs to finish the interval with the same mean, to the bit."""
        sums = {name: value.cpu() for name, value in self._sums.items()}
        return {"steps": self.steps, "samples": self.samples, "sums": sums}

    def load_state_dict(self, state: State, device: torch.device) -> None:
        """Go on with an interval."""
        self.steps, self.samples = state["steps"], state["samples"]
        self._sums = {name: value.to(device) for name, value in state["sums"].items()}


def merged(states: Sequence[State]) -> State:
    """Return the state of all workers together, for a resume on another number of them."""
    sums: dict[str, torch.Tensor] = {}
    for state in states:
        for name, value in state["sums"].items():
            sums[name] = sums[name] + value if name in sums else value
    samples = sum(state["samples"] for state in states)
    return {"steps": states[0]["steps"], "samples": samples, "sums": sums}
