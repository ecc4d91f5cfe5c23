"""Boxes read off the fields: the rectangle around a connected region of a patch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from baryon_climate.generation.patch import Patch

Mask = npt.NDArray[np.bool_]
SMALLEST = 2
"""Pixels a side of a box at least: one pixel could not be found by its edges."""


def connected(mask: Mask, seeds: Mask) -> Mask:
    """Return the part of `mask` that is connected to `seeds` by neighbouring pixels."""
    region = mask & seeds
    size = 0
    while (grown := int(region.sum())) != size:
        size = grown
        for _ in range(4):  # looking only now and then whether it still grows is faster
            wider = region.copy()
            wider[1:] |= region[:-1]
            wider[:-1] |= region[1:]
            wider[:, 1:] |= region[:, :-1]
            wider[:, :-1] |= region[:, 1:]
            region = wider & mask
    return region


def box(patch: Patch, region: Mask, height: int, width: int) -> tuple[int, int, int, int] | None:
    """Return ymin, xmin, ymax, xmax of a region in pixels of the globe, None if it is empty.

    xmax exceeds the globe's width where the region crosses the seam.
    """
    if not region.any():
        return None
    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    ymin, ymax = int(rows[0]) + patch.rows.start, int(rows[-1]) + patch.rows.start
    wide = max(int(columns[-1] - columns[0]), SMALLEST)
    if ymax - ymin < SMALLEST:
        ymin, ymax = max(0, ymin - 1), min(height - 1, ymax + 1)
    xmin = int(patch.columns[columns[0]])
    return ymin, xmin, ymax, xmin + min(wide, width - 1)
