"""Non-maximum suppression: of boxes that overlap much, keep the best."""

from __future__ import annotations

import torch

from baryon_climate.boxes.overlap import iou


def suppress(
    boxes: torch.Tensor,
    scores: torch.Tensor,
    classes: torch.Tensor,
    *,
    overlap: float,
    period: float | None,
) -> torch.Tensor:
    """Return the rows of the boxes (n, 4) that stay, best first, within each class.

    A box goes if its IoU with a better one of its class that stays is above `overlap`. Equal scores
    keep their order. `period` is that of `overlap.iou`.
    """
    order = torch.sort(scores, descending=True, stable=True).indices
    same = classes[order][:, None] == classes[order][None]
    rivals = (iou(boxes[order], boxes[order], period) > overlap) & same
    stays = torch.ones(len(order), dtype=torch.bool, device=scores.device)
    for number in range(len(order)):
        if stays[number]:
            stays[number + 1 :] &= ~rivals[number, number + 1 :]
    return order[stays]
