"""The daily cycle over land: warm skin by day, warm air in the afternoon, showers after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from baryon_climate.generation.continents import Geography
from baryon_climate.grid import Grid

Numbers = npt.NDArray[np.float32]
TILT = 23.44
"""Degrees between the Earth's axis and the normal of its orbit."""
SOLSTICE_DAY = 172.0
SKIN_LEAD, AIR_LAG, SHOWER_LAG = -0.5, 2.0, 4.0
"""Hours after noon of the warmest ground, the warmest air 2 m above it, and of most showers."""
SKIN_BY_DAY, SKIN_BY_NIGHT = 8.5, -1.3
"""K that the skin is warmer than the air 2 m above it, under the highest sun and without sun."""
AIR_RANGE = 9.0
"""K between night and the highest sun, of air 2 m above dry land."""


@dataclass(frozen=True)
class DailyCycle:
    """Departures from the daily mean on a grid, (height, width) each; zero at sea."""

    air: Numbers
    """K, of the air 2 m above the ground; its mean over a day is zero."""
    skin: Numbers
    """K that the ground is warmer than this air."""
    showers: Numbers
    """Factor on convective rain; its mean over a day is one."""


def daily_cycle(grid: Grid, geography: Geography, dryness: Numbers, day: float) -> DailyCycle:
    """Return the daily cycle at a time (days since the beginning of the year, UTC).

    `dryness` is the share of the zonal mean's vapour that a place has: clear, dry air lets the
    ground warm by day and cool by night.
    """
    land = geography.land
    sun, mean_sun = _sun(grid, day, AIR_LAG)
    # clear, dry air lets the ground warm by day and cool by night
    strength = AIR_RANGE * np.clip(1.6 - 0.7 * dryness, 0.5, 1.6)
    showers, mean_showers = _sun(grid, day, SHOWER_LAG)
    skin = SKIN_BY_NIGHT + SKIN_BY_DAY * _sun(grid, day, SKIN_LEAD)[0]
    factor = 1 + 1.2 * land * (showers - mean_showers)
    return DailyCycle(
        (land * strength * (sun - mean_sun)).astype(np.float32),
        (land * skin).astype(np.float32),
        factor.astype(np.float32),
    )


def _sun(grid: Grid, day: float, lag: float) -> tuple[Numbers, Numbers]:
    """Return the sine of the sun's height `lag` hours ago, at least 0, and its mean over a day."""
    declination = np.radians(TILT) * np.cos(2 * np.pi * (day - SOLSTICE_DAY) / 365)
    latitude = np.radians(grid.latitudes())[:, None]
    across = np.cos(latitude) * np.cos(declination)
    upright = np.sin(latitude) * np.sin(declination)
    local_hour = (24 * day + grid.longitudes() / 15 - lag)[None, :]
    height = upright - across * np.cos(np.radians(15 * local_hour))
    # the mean over a day of max(0, upright + across cos h), where the sun sets at h = sunset
    ratio = np.clip(-upright / np.maximum(across, 1e-9), -1, 1)
    sunset = np.arccos(ratio)
    mean = (sunset * upright + across * np.sin(sunset)) / np.pi
    return np.maximum(height, 0).astype(np.float32), mean.astype(np.float32)
