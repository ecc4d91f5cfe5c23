"""Model `climate_modern`: a dense detector on a finer grid, at the cost of the paper's network.

Against `climate_15pf` it changes what limits that one, each by a standard part of the field:
* the grid is four times finer, so that two storms seldom share a cell, and a small one fills it
  (a box is said at its centre: Zhou et al., arXiv:1904.07850);
* fine cells still see the whole storm and its surroundings: a pyramid carries coarse features down
  (Lin et al., arXiv:1612.03144);
* residual blocks and group normalisation, which does not look at the batch, so that a step on many
  processes stays the step of one (He et al., arXiv:1512.03385; Wu and He, arXiv:1803.08494);
* on frames of the whole globe convolutions go around the longitude seam.

The input is rebuilt from the coarsest features alone: what is rebuilt must have passed there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from baryon.errors import BaryonError
from baryon.interfaces import Field
from baryon_climate.model.convolution import Convolution
from baryon_climate.model.heads import Heads
from baryon_climate.model.layout import fill_cells, frame_channels, scaled

NAME = "climate_modern"
GROUP = 8
"""Channels that are normalised together; numbers of filters are multiples of it."""
RARE = 0.01
"""Share of cells with an object that the heads expect at first (Lin et al., arXiv:1708.02002)."""


def climate_modern(
    *,
    filters: Sequence[int],
    blocks: Sequence[int],
    features: int,
    width: float,
    cell: int,
    cyclic: bool,
    reconstruction: bool,
    fields: Mapping[str, Field],
) -> ClimateModern:
    """Build the detector of frames (N, channels, H, W).

    Raises `BaryonError` for cells that are no level of the pyramid or larger than a frame.
    """
    if len(blocks) != len(filters):
        raise BaryonError(
            f"model {NAME!r}: filters={list(filters)} and blocks={list(blocks)} must be as many"
        )
    levels = [2 ** (number + 1) for number in range(len(filters))]
    if cell not in levels:
        raise BaryonError(f"model {NAME!r}: cell={cell} must be one of {levels}")
    channels = frame_channels(NAME, fields, cell)
    # whole groups for the normalisation, at any width
    *widths, wide = (GROUP * math.ceil(n / GROUP) for n in scaled([*filters, features], width))
    return ClimateModern([channels, *widths], blocks, wide, cell, cyclic, reconstruction)


class ClimateModern(nn.Module):
    """Encoder, pyramid down to the grid, heads, and the decoder from the coarsest features."""

    def __init__(
        self,
        filters: Sequence[int],
        blocks: Sequence[int],
        features: int,
        cell: int,
        cyclic: bool,
        reconstruction: bool,
    ) -> None:
        super().__init__()
        self.cell, self._cyclic = cell, cyclic
        self._finest = cell.bit_length() - 2
        pairs = list(pairwise(filters))
        self.encoder = nn.ModuleList(
            nn.Sequential(
                _normalised(before, after, cyclic, stride=2),
                *(Residual(after, cyclic) for _ in range(count)),
            )
            for (before, after), count in zip(pairs, blocks, strict=True)
        )
        used = filters[self._finest + 1 :]
        self.lateral = nn.ModuleList(nn.Conv2d(number, features, 1) for number in used)
        self.merge = nn.ModuleList(_normalised(features, features, cyclic) for _ in used[1:])
        self.tower = nn.Sequential(*(_normalised(features, features, cyclic) for _ in range(2)))
        self.heads = Heads(features, cyclic)
        self.decoder = nn.ModuleList(
            _rebuild(after, before, cyclic, last=not number)
            for number, (before, after) in reversed(list(enumerate(pairs)))
            if reconstruction
        )
        self.apply(_initialise)
        self.heads.expect_few(RARE)

    def forward(self, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Map frames (N, channels, H, W) to what is said of each cell, and the frames rebuilt."""
        reached = [fill_cells(inputs, self.cell, cyclic=self._cyclic)]
        for stage in self.encoder:
            reached.append(stage(reached[-1]))
        output: dict[str, torch.Tensor] = self.heads(self.tower(self._pyramid(reached[1:])))
        if len(self.decoder):
            value = reached[-1]
            for rebuild, before in zip(self.decoder, reached[-2::-1], strict=True):
                value = rebuild(functional.interpolate(value, size=before.shape[-2:]))
            output["reconstruction"] = value[..., : inputs.shape[-2], : inputs.shape[-1]]
        return output

    def _pyramid(self, stages: Sequence[torch.Tensor]) -> torch.Tensor:
        """Add coarse features to finer ones, down to the grid of the heads."""
        used = stages[self._finest :]
        value: torch.Tensor = self.lateral[-1](used[-1])
        for number in range(len(used) - 2, -1, -1):
            beside = self.lateral[number](used[number])
            above = functional.interpolate(value, size=beside.shape[-2:])
            value = self.merge[number](beside + above)
        return value


class Residual(nn.Module):
    """Two convolutions beside the way through."""

    def __init__(self, features: int, cyclic: bool) -> None:
        super().__init__()
        self.first = _normalised(features, features, cyclic)
        self.second = Convolution(features, features, cyclic)
        self.normalise = _group_norm(features)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Add two convolutions to features (N, C, H, W)."""
        changed = self.normalise(self.second(self.first(inputs)))
        return functional.silu(inputs + changed)


def _normalised(before: int, after: int, cyclic: bool, *, stride: int = 1) -> nn.Sequential:
    convolution = Convolution(before, after, cyclic, stride=stride)
    return nn.Sequential(convolution, _group_norm(after), nn.SiLU(inplace=True))


def _group_norm(features: int) -> nn.GroupNorm:
    return nn.GroupNorm(features // GROUP, features)


def _rebuild(before: int, after: int, cyclic: bool, *, last: bool) -> nn.Module:
    """Build a layer of the decoder; the last one gives the fields themselves."""
    return Convolution(before, after, cyclic) if last else _normalised(before, after, cyclic)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    if isinstance(module, Residual):
        nn.init.zeros_(module.normalise.weight)  # a block begins as the way through
