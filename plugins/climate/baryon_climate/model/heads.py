"""The heads of a detector: what it says of each cell of its one grid."""

from __future__ import annotations

import math

import torch
from torch import nn

from baryon_climate.classes import CLASSES
from baryon_climate.model.convolution import Convolution


class Heads(nn.Module):
    """Four 3x3 convolutions side by side: confidence, class, position and size."""

    # A model has one grid, whatever pyramid it has inside, so that loss, decoding and predictions
    # are the same for all models.

    def __init__(self, features: int, cyclic: bool = False) -> None:
        super().__init__()
        self.objectness = Convolution(features, 2, cyclic)
        self.classes = Convolution(features, len(CLASSES), cyclic)
        self.position = Convolution(features, 2, cyclic)
        self.size = Convolution(features, 2, cyclic)

    def forward(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """Map features (N, C, h, w) to `objectness`, `classes`, `position`, `size` of each cell."""
        return {
            "objectness": self.objectness(features),
            "classes": self.classes(features),
            "position": self.position(features),
            "size": self.size(features),
        }

    def expect_few(self, share: float) -> None:
        """Start with an object in this share of all cells, and boxes as large as their cell."""
        for head in (self.objectness, self.classes, self.position, self.size):
            nn.init.normal_(head.weight, std=0.01)
        assert self.objectness.bias is not None
        with torch.no_grad():
            self.objectness.bias.copy_(torch.tensor([math.log(share / (1 - share)), 0.0]))


def initialise(model: nn.Module, leakiness: float) -> None:
    """Draw weights as He et al. for leaky ReLU (reported), zero biases."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, a=leakiness, nonlinearity="leaky_relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
