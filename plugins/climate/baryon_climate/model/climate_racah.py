"""Models `climate_racah_2d` and `climate_racah_3d`: "ExtremeWeather" (Racah et al., 1612.02095).

Facts read in `eracah/hur-detect` (reported): six convolutions of 5 x 5, stride 2, with leaky ReLU
of slope 0.1 and He initialisation; one batch normalisation before the heads; three 3 x 3 heads,
of which the coordinates x, y, w, h pass through ReLU; a decoder that mirrors the encoder and shares
its weights (Lasagne's InverseLayer). With time, kernels are 3 steps long and keep the number of
steps. 66.53 M parameters, 16.68 M with `width` 0.5, 50.02 M with time and `width` 0.5 (reported).

Their heads with time have stride 2, for every second step had labels. A window here has labels for
one step, so the same heads are computed there alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional

from baryon.errors import BaryonError
from baryon.interfaces import Field
from baryon_climate.classes import CLASSES
from baryon_climate.model.heads import initialise
from baryon_climate.model.layout import fill_cells, frame_channels, scaled, strides, window_channels
from baryon_climate.windows import labelled_step

KERNEL, HEAD, LONG = 5, 3, 3
"""Pixels of a layer's kernel and of a head's; time steps of either."""


def climate_racah_2d(
    *,
    filters: Sequence[int],
    width: float,
    cell: int,
    leakiness: float,
    rectified: bool,
    reconstruction: bool,
    fields: Mapping[str, Field],
) -> ClimateRacah:
    """Build the detector of frames (N, channels, H, W).

    Raises `BaryonError` for cells that the layers cannot make or that are larger than a frame.
    """
    name = "climate_racah_2d"
    strided = strides(name, cell, len(filters))
    channels = frame_channels(name, fields, cell)
    layers = [channels, *scaled(filters, width)]
    return ClimateRacah(layers, strided, None, leakiness, rectified, reconstruction)


def climate_racah_3d(
    *,
    filters: Sequence[int],
    width: float,
    cell: int,
    leakiness: float,
    rectified: bool,
    reconstruction: bool,
    fields: Mapping[str, Field],
) -> ClimateRacah:
    """Build the detector of windows (N, channels, T, H, W), for boxes of their labelled step.

    Raises `BaryonError` for cells that the layers cannot make or that are larger than a frame.
    """
    name = "climate_racah_3d"
    strided = strides(name, cell, len(filters))
    channels, steps = window_channels(name, fields, cell)
    if steps < LONG:
        raise BaryonError(f"model {name!r} looks at {LONG} steps at once: give dataset.window=8")
    layers = [channels, *scaled(filters, width)]
    return ClimateRacah(layers, strided, labelled_step(steps), leakiness, rectified, reconstruction)


class ClimateRacah(nn.Module):
    """Encoder, normalised heads, and the encoder's transpose as decoder."""

    def __init__(
        self,
        filters: Sequence[int],
        strided: Sequence[int],
        labelled: int | None,
        leakiness: float,
        rectified: bool,
        reconstruction: bool,
    ) -> None:
        """Build the layers; heads look at the step `labelled`, None: frames without time."""
        super().__init__()
        self.cell = 2 ** sum(stride == 2 for stride in strided)
        self._labelled, self._leakiness = labelled, leakiness
        self._rectified, self._reconstruction = rectified, reconstruction
        convolution = nn.Conv2d if labelled is None else nn.Conv3d
        normalisation = nn.BatchNorm2d if labelled is None else nn.BatchNorm3d
        time = () if labelled is None else (LONG,)
        unit = tuple(1 for _ in time)  # steps are neither left out nor added
        self.encoder = nn.ModuleList(
            convolution(
                before,
                after,
                (*time, KERNEL, KERNEL),
                (*unit, stride, stride),  # type: ignore[arg-type]
                (*unit, KERNEL // 2, KERNEL // 2),  # type: ignore[arg-type]
            )
            for before, after, stride in zip(filters, filters[1:], strided, strict=False)
        )
        self.normalise = normalisation(filters[-1])
        kernel, padding = (*time, HEAD, HEAD), (*(0 for _ in time), 1, 1)

        def head(outputs: int) -> nn.Module:
            return convolution(filters[-1], outputs, kernel, padding=padding)  # type: ignore[arg-type]

        self.coordinates = head(4)
        self.objectness = head(2)
        self.classes = head(len(CLASSES))
        initialise(self, leakiness)

    def forward(self, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Map frames or windows to what is said of each cell, and the same rebuilt."""
        reached = [fill_cells(inputs, self.cell)]
        for layer in self.encoder:
            reached.append(functional.leaky_relu(layer(reached[-1]), self._leakiness))
        output = self._heads(self._around_labels(self.normalise(reached[-1])))
        if self._reconstruction:
            rebuilt = self._decoded(reached)
            output["reconstruction"] = rebuilt[..., : inputs.shape[-2], : inputs.shape[-1]]
        return output

    def _around_labels(self, features: torch.Tensor) -> torch.Tensor:
        if self._labelled is None:
            return features
        return features[:, :, self._labelled - 1 : self._labelled + 2]

    def _heads(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        def cells(head: nn.Module) -> torch.Tensor:
            output: torch.Tensor = head(features)
            return output if self._labelled is None else output.squeeze(2)

        coordinates = cells(self.coordinates)
        if self._rectified:
            coordinates = functional.relu(coordinates)
        return {
            "objectness": cells(self.objectness),
            "classes": cells(self.classes),
            "position": coordinates[:, :2],
            "size": coordinates[:, 2:],
        }

    def _decoded(self, reached: Sequence[torch.Tensor]) -> torch.Tensor:
        """Apply each layer's transposed derivative, from the last to the first."""
        # The slope of the leaky ReLU is part of it, as in Lasagne's InverseLayer.
        value = reached[-1]
        for layer, after in reversed(list(zip(self.encoder, reached[1:], strict=True))):
            slope = torch.where(after > 0, 1.0, self._leakiness).to(value.dtype)
            value = _transposed(layer, value * slope)
        return value


def _transposed(layer: nn.Module, value: torch.Tensor) -> torch.Tensor:
    """Apply the transpose of a convolution, without its bias."""
    assert isinstance(layer, nn.Conv2d | nn.Conv3d)
    transpose = (
        functional.conv_transpose2d if isinstance(layer, nn.Conv2d) else functional.conv_transpose3d
    )
    lost = [int(stride) - 1 for stride in layer.stride]  # the layers halve even sizes only
    transposed: torch.Tensor = transpose(
        value,
        layer.weight,
        None,
        layer.stride,
        layer.padding,  # type: ignore[arg-type]
        lost,
    )
    return transposed
