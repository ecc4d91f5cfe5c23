"""Intersection over union of boxes, also across the longitude seam."""

from __future__ import annotations

import torch


def areas(boxes: torch.Tensor) -> torch.Tensor:
    """Pixels (...) of boxes (..., 4): ymin, xmin, ymax, xmax; none of a box turned inside out."""
    sides = (boxes[..., 2:4] - boxes[..., 0:2]).clamp(min=0)
    return sides[..., 0] * sides[..., 1]


def iou(boxes: torch.Tensor, others: torch.Tensor, period: float | None = None) -> torch.Tensor:
    """(n, m) intersection over union of boxes (n, 4) and (m, 4), from 0 to 1.

    `period`: columns of a frame that goes around the globe. Boxes whose xmax lies beyond it then
    overlap those at its beginning. Boxes are no wider than the globe.
    """
    here, there = boxes[:, None], others[None]
    high = _common(here[..., 0], here[..., 2], there[..., 0], there[..., 2])
    shifts = (0.0,) if period is None else (-period, 0.0, period)
    wide = sum(
        _common(here[..., 1], here[..., 3], there[..., 1] + shift, there[..., 3] + shift)
        for shift in shifts
    )
    both = high * wide
    union = areas(here) + areas(there) - both
    return torch.where(union > 0, both / union.clamp(min=torch.finfo(union.dtype).tiny), 0.0)


def _common(
    low: torch.Tensor, high: torch.Tensor, other_low: torch.Tensor, other_high: torch.Tensor
) -> torch.Tensor:
    return (torch.minimum(high, other_high) - torch.maximum(low, other_low)).clamp(min=0)
