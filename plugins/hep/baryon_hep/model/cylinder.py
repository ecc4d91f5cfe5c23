"""Convolve images of a cylinder, two opposite edges of which meet."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CylinderConvolution(nn.Conv2d):
    """3x3 convolution whose padding along `axis` (2 or 3) is the opposite edge, and zero elsewhere.

    It has the parameters of an `nn.Conv2d`, so checkpoints of either fit the other.
    """

    def __init__(self, channels: int, filters: int, axis: int) -> None:
        super().__init__(channels, filters, 3, padding=(0, 1) if axis == 2 else (1, 0))
        self.axis = axis

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, filters, H, W) of images (N, channels, H, W)."""
        # Not by functional.pad, whose circular mode not every export knows.
        first, last = images.narrow(self.axis, 0, 1), images.narrow(self.axis, -1, 1)
        return super().forward(torch.cat([last, images, first], self.axis))
