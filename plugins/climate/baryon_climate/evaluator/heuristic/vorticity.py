"""Relative vorticity on a latitude-longitude grid."""

from __future__ import annotations

import numpy as np

from baryon_climate.evaluator.frames import Floats
from baryon_climate.grid import EARTH_RADIUS, Grid

METRES = 1000.0 * EARTH_RADIUS


def vorticity(eastward: Floats, northward: Floats, grid: Grid) -> Floats:
    """Compute relative vorticity (H, W) in 1/s of winds (H, W) in m/s by central differences.

    Differences go around the seam of a cyclic frame. Rows at a pole, where longitude has no
    meaning, are 0.
    """
    latitude = np.radians(grid.latitudes())[:, None]
    cosine = np.cos(latitude)
    along = np.gradient(eastward * cosine, np.radians(grid.latitude_step), axis=0)
    step = np.radians(grid.longitude_step)
    if grid.cyclic:
        across = (np.roll(northward, -1, axis=1) - np.roll(northward, 1, axis=1)) / (2 * step)
    else:
        across = np.gradient(northward, step, axis=1)
    rotation: Floats = (across - along) / (METRES * np.maximum(cosine, 1e-3))
    return np.where(cosine > 1e-2, rotation, 0.0)
