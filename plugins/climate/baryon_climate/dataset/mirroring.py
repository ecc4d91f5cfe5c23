"""Samples mirrored at the equator: as likely as the others where only the season is exchanged.

A flow seen in a mirror obeys the same equations with the rotation reversed: what points north then
points south, and a cyclone of one hemisphere becomes a cyclone of the other. Land and sea are not
symmetric, so a mirrored frame has oceans where there are none: an augmentation, not an observation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from baryon.errors import BaryonError
from baryon_climate.fields import Channel
from baryon_climate.grid import Grid

Numbers = npt.NDArray[Any]
NORTHWARD = "V850", "VBOT"
"""Channels that change their sign: the northward winds."""
SHARE = 0.5
"""Of the training samples that are mirrored, each anew in every epoch."""
UNEVEN = 1e-3
"""Rows by which the equator may lie beside the middle of a grid (degrees in files are rounded)."""


def require_symmetric(grid: Grid) -> None:
    """Raise `BaryonError` unless the equator halves the grid."""
    middle = grid.latitude + (grid.height - 1) / 2 * grid.latitude_step
    if abs(middle) > UNEVEN * abs(grid.latitude_step):
        south, north = sorted(float(grid.latitudes(row)) for row in (0, grid.height - 1))
        raise BaryonError(
            f"dataset.mirror=true needs a grid that the equator halves; this one is from {south:g} "
            f"to {north:g} degrees north: leave it at false"
        )


def mirror(inputs: Numbers, channels: Sequence[Channel], scaling: Numbers) -> None:
    """Mirror a whole frame at the equator, in place.

    Parameters
    ----------
    inputs
        (channels, [steps,] height, width), scaled.
    channels
        What the first axis of `inputs` holds.
    scaling
        (channels, 2) middle and half range: a wind w is stored as (w - middle) / half.

    """
    inputs[...] = inputs[..., ::-1, :].copy()
    for number, channel in enumerate(channels):
        if channel.name in NORTHWARD:
            middle, half = scaling[number]
            # -(half * x + middle) = half * x' + middle
            inputs[number] = -inputs[number] - 2 * middle / half


def mirror_boxes(boxes: Numbers, height: int) -> None:
    """Mirror boxes at the equator, in place.

    `boxes` (n, 5) are ymin, xmin, ymax, xmax in rows and columns of a frame of `height` rows, and
    class; unused rows are -1.
    """
    used = boxes[:, 4] >= 0
    last = height - 1  # pixels are centres: row r becomes row last - r
    boxes[used, 0], boxes[used, 2] = last - boxes[used, 2], last - boxes[used, 0]
