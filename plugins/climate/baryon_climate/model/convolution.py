"""A convolution of frames, also of those that go around the globe."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class Convolution(nn.Conv2d):
    """3 x 3; beyond the first and last column comes the other end of the frame, if it is cyclic."""

    def __init__(self, before: int, after: int, cyclic: bool, *, stride: int = 1) -> None:
        super().__init__(before, after, 3, stride, padding=(1, 0) if cyclic else 1)
        self.cyclic = cyclic

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Convolve features (N, C, H, W)."""
        if self.cyclic:
            inputs = functional.pad(inputs, (1, 1, 0, 0), mode="circular")
        return super().forward(inputs)
