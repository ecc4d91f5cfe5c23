"""Generalised intersection over union (Rezatofighi et al., arXiv:1902.09630)."""

from __future__ import annotations

import torch

from baryon_climate.boxes.overlap import areas


def generalised_iou(boxes: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Return (...) of boxes (..., 4) pair by pair: IoU less the part of their hull without either.

    From -1 to 1, and with a gradient also where they do not overlap.
    """
    low, high = (
        torch.maximum(boxes[..., :2], others[..., :2]),
        torch.minimum(boxes[..., 2:], others[..., 2:]),
    )
    sides = (high - low).clamp(min=0)
    intersection = sides[..., 0] * sides[..., 1]
    union = areas(boxes) + areas(others) - intersection
    hull = torch.maximum(boxes[..., 2:], others[..., 2:]) - torch.minimum(
        boxes[..., :2], others[..., :2]
    )
    hull_area = hull[..., 0] * hull[..., 1]
    return intersection / union - (hull_area - union) / hull_area
