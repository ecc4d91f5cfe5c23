"""Relative vorticity on a latitude-longitude grid."""

from __future__ import annotations

import numpy as np

from baryon_climate.evaluator.frames import Floats
from baryon_climate.grid import EARTH_RADIUS, Grid

METRES = 1000.0 * EARTH_RADIUS


def vorticity(eastward: Floats, northward: Floats, grid: Grid) -> Floats:
    """1/s of winds (H, W) in m/s: central differences, around the seam of a cyclic frame.

    Zero in rows at a pole, where longitude has no meaning.
    """
    latitude = np.radians(grid.latitudes())[:, None]
    cosine = np.cos(latitude)
    along = np.gradient(eastward * cosine, np.radians(grid.latitude_step), axis=0)
    step = np.radians(grid.longitude_step)
    if grid.cyclic:
        across = (np.roll(northward, -1, axis=1) - np.roll(northward, 1, axis=1)) / (2 * step)
    else:
        across = np.gradient(northward, step, axis=1)
    found: Floats = (across - along) / (METRES * np.maximum(cosine, 1e-3))
    return np.where(cosine > 1e-2, found, 0.0)
