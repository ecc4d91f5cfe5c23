"""How near a cell is to the centre of a box."""

from __future__ import annotations

import torch

from baryon_climate.boxes.coding import cells_of


def nearness(boxes: torch.Tensor, frame: tuple[int, int], cell: int, share: float) -> torch.Tensor:
    """Return (N, h, w) from 0 to 1: the highest Gaussian around the centres of boxes (N, n, 5).

    Their standard deviations are `share` of the boxes' sides. Around a globe the other way counts
    too: a centre at one end is near the cells of the other, as `encode` puts it. A crop is treated
    alike: a box at its edge reaches the far end with at most exp(-0.5 (0.5 / share)^2).
    """
    height, width = cells_of(frame, cell)
    circle = frame[1] / cell
    used = boxes[..., 4] >= 0
    y = (boxes[..., 0] + boxes[..., 2])[..., None] / 2 / cell
    x = (boxes[..., 1] + boxes[..., 3])[..., None] / 2 / cell
    deviation_y = share * (boxes[..., 2] - boxes[..., 0])[..., None] / cell
    deviation_x = share * (boxes[..., 3] - boxes[..., 1])[..., None] / cell
    rows = torch.arange(height, device=boxes.device) + 0.5
    columns = torch.arange(width, device=boxes.device) + 0.5
    # The shorter way around.
    apart = torch.minimum((columns - x) % circle, (x - columns) % circle)
    along = torch.exp(-0.5 * ((rows - y) / deviation_y.where(used[..., None], 1.0)) ** 2)
    across = torch.exp(-0.5 * (apart / deviation_x.where(used[..., None], 1.0)) ** 2)
    each = along[..., :, None] * across[..., None, :] * used[..., None, None]
    return each.amax(dim=1)
