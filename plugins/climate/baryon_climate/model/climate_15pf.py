"""Model `climate_15pf`: the semi-supervised detector of "Deep Learning at 15PF" (arXiv:1708.05256).

As remembered from the paper: a strided convolutional encoder to a coarse grid; small convolutions
that give confidence, class, position and size of a box for each cell; deconvolutions from the same
features that rebuild the 16 channels. 9 convolutions and 5 deconvolutions, 302.1 MiB in float32,
2.10 TFLOP an image of 768 x 768 forward and backward (derived from the paper's rates), which makes
five strided layers, four heads and a grid of 24 x 24.

The numbers of filters were never published. Those of the YAML are a stand-in that was searched for:
with 5 x 5 kernels the only one in multiples of 64 that has the paper's size and cost. It is not the
authors' network, and the paper's box corner is here a centre, as in hur-detect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from baryon.errors import BaryonError
from baryon.interfaces import Field
from baryon_climate.model.heads import Heads, initialise
from baryon_climate.model.layout import fill_cells, frame_channels, scaled, strides

NAME = "climate_15pf"


def climate_15pf(
    *,
    filters: Sequence[int],
    width: float,
    kernel: int,
    cell: int,
    leakiness: float,
    reconstruction: bool,
    fields: Mapping[str, Field],
) -> Climate15PF:
    """Build the detector of frames (N, channels, H, W).

    Raises `BaryonError` for an even kernel, and for cells that the layers cannot make or that are
    larger than a frame.
    """
    if kernel < 1 or kernel % 2 == 0:
        raise BaryonError(f"model {NAME!r}: kernel={kernel} must be odd")
    # also decides the size of a cell, which loss and decoding read off the output's shape
    strided = strides(NAME, cell, len(filters))
    channels = frame_channels(NAME, fields, cell)
    return Climate15PF(
        [channels, *scaled(filters, width)], strided, kernel, leakiness, reconstruction
    )


class Climate15PF(nn.Module):
    """Encoder, heads, and the decoder that mirrors the encoder with weights of its own."""

    def __init__(
        self,
        filters: Sequence[int],
        strided: Sequence[int],
        kernel: int,
        leakiness: float,
        reconstruction: bool,
    ) -> None:
        super().__init__()
        self.cell = 2 ** sum(stride == 2 for stride in strided)
        layers = list(zip(filters, filters[1:], strided, strict=False))
        self.encoder = nn.ModuleList(
            _convolution(before, after, kernel, stride, leakiness)
            for before, after, stride in layers
        )
        self.heads = Heads(filters[-1])
        self.decoder = nn.ModuleList(
            _deconvolution(after, before, kernel, stride, leakiness if number else None)
            for number, (before, after, stride) in reversed(list(enumerate(layers)))
            if reconstruction
        )
        initialise(self, leakiness)

    def forward(self, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Map frames (N, channels, H, W) to what is said of each cell, and the frames rebuilt."""
        features = fill_cells(inputs, self.cell)
        for layer in self.encoder:
            features = layer(features)
        output: dict[str, torch.Tensor] = self.heads(features)
        if len(self.decoder):
            for layer in self.decoder:
                features = layer(features)
            output["reconstruction"] = features[..., : inputs.shape[-2], : inputs.shape[-1]]
        return output


def _convolution(before: int, after: int, kernel: int, stride: int, leakiness: float) -> nn.Module:
    convolution = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2)
    return nn.Sequential(convolution, nn.LeakyReLU(leakiness, inplace=True))


def _deconvolution(
    before: int, after: int, kernel: int, stride: int, leakiness: float | None
) -> nn.Module:
    """Build a deconvolution; the last one gives the fields themselves, without ReLU."""
    deconvolution = nn.ConvTranspose2d(
        before, after, kernel, stride, padding=kernel // 2, output_padding=stride - 1
    )
    if leakiness is None:
        return nn.Sequential(deconvolution)
    return nn.Sequential(deconvolution, nn.LeakyReLU(leakiness, inplace=True))
