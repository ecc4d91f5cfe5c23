"""Loss `gw_cross_entropy`: chirp or no chirp in the window."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from baryon.interfaces import Batch
from torch.nn.functional import binary_cross_entropy_with_logits


class GwCrossEntropy:
    """Mean over the batch of the cross-entropy of logits (N,) and `label` (N,)."""

    def __call__(self, output: torch.Tensor, batch: Batch) -> Mapping[str, torch.Tensor]:
        """Return the term `cross_entropy`."""
        truth = batch["label"].to(output.dtype)
        return {"cross_entropy": binary_cross_entropy_with_logits(output, truth)}
