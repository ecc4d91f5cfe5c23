"""Loss `hep_cross_entropy`: softmax cross-entropy of signal against background."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch.nn.functional import cross_entropy

from baryon.interfaces import Batch


class HepCrossEntropy:
    """Mean over a batch of each event's cross-entropy times its weight.

    Parameters
    ----------
    weighting
        Weight of an event. `none`: 1 for all, as the paper's networks were trained (reported).
        `normweight`: its expected events over their training maximum. `log`: log(1 + w) of its
        expected events w, as in arXiv:1711.03573 (reported).

    """

    def __init__(self, *, weighting: Literal["none", "normweight", "log"]) -> None:
        self.weighting = weighting

    def __call__(self, output: torch.Tensor, batch: Batch) -> Mapping[str, torch.Tensor]:
        """Return the loss of logits `output` (N, 2), with `batch["label"]` (N,) 1 for signal."""
        if self.weighting == "none":
            return {"cross_entropy": cross_entropy(output, batch["label"])}
        per_event = cross_entropy(output, batch["label"], reduction="none")
        # Not divided by the weights' sum over the batch: the mean over workers of their means would
        # no longer be the mean over all samples.
        weight = self._weight(batch)
        return {"cross_entropy": (per_event * weight).mean()}

    def _weight(self, batch: Batch) -> torch.Tensor:
        if self.weighting == "normweight":
            return batch["normweight"]
        return torch.log1p(batch["weight"])
