"""Intersection over union of boxes, also across the longitude seam."""

from __future__ import annotations

import torch


def areas(boxes: torch.Tensor) -> torch.Tensor:
    """Return the areas (...) in pixels of boxes (..., 4): ymin, xmin, ymax, xmax; 0 if inverted."""
    sides = (boxes[..., 2:4] - boxes[..., 0:2]).clamp(min=0)
    return sides[..., 0] * sides[..., 1]


def iou(boxes: torch.Tensor, others: torch.Tensor, period: float | None = None) -> torch.Tensor:
    """Return the intersection over union (n, m) of boxes (n, 4) and (m, 4), from 0 to 1.

    `period` is the number of columns of a frame that goes around the globe. Boxes whose xmax lies
    beyond it then overlap those at its beginning. Boxes are no wider than the globe.
    """
    first, second = boxes[:, None], others[None]
    high = _common(first[..., 0], first[..., 2], second[..., 0], second[..., 2])
    # a box may begin east of the seam and the other west of it, or the other way round
    shifts = (0.0,) if period is None else (-period, 0.0, period)
    wide = sum(
        _common(first[..., 1], first[..., 3], second[..., 1] + shift, second[..., 3] + shift)
        for shift in shifts
    )
    both = high * wide
    union = areas(first) + areas(second) - both
    # two boxes without area have no overlap, rather than 0/0
    return torch.where(union > 0, both / union.clamp(min=torch.finfo(union.dtype).tiny), 0.0)


def _common(
    low: torch.Tensor, high: torch.Tensor, other_low: torch.Tensor, other_high: torch.Tensor
) -> torch.Tensor:
    return (torch.minimum(high, other_high) - torch.maximum(low, other_low)).clamp(min=0)
