"""Generalised intersection over union (Rezatofighi et al., arXiv:1902.09630)."""

from __future__ import annotations

import torch

from baryon_climate.boxes.overlap import areas


def generalised_iou(boxes: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """(...) of boxes (..., 4) pair by pair: IoU less the part of their hull that neither covers.

    From -1 to 1, and with a gradient also where they do not overlap.
    """
    low, high = (
        torch.maximum(boxes[..., :2], others[..., :2]),
        torch.minimum(boxes[..., 2:], others[..., 2:]),
    )
    sides = (high - low).clamp(min=0)
    both = sides[..., 0] * sides[..., 1]
    union = areas(boxes) + areas(others) - both
    hull = torch.maximum(boxes[..., 2:], others[..., 2:]) - torch.minimum(
        boxes[..., :2], others[..., :2]
    )
    around = hull[..., 0] * hull[..., 1]
    return both / union - (around - union) / around
