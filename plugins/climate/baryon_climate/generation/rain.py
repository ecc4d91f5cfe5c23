"""Where it rains: showers in moist air, fronts and lifted air on the storm tracks, and storms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from baryon_climate.generation import mean_state
from baryon_climate.grid import Grid

Numbers = npt.NDArray[np.float32]
MM_A_DAY = 1e-3 / 86400
"""m/s in a millimetre a day."""


@dataclass(frozen=True)
class RainMakers:
    """What rain depends on, (height, width) each."""

    vapour: Numbers
    """kg/m2."""
    poleward: Numbers
    """Degrees of latitude that the air has come from nearer to the equator."""
    advected: Numbers
    """K that the air is warmer than usual at its latitude."""
    grain: Numbers
    """A texture of unit variance that the flow has stirred."""
    rough: Numbers
    """Another one."""
    showers: Numbers
    """Factor of the daily cycle."""
    storms: Numbers
    """mm a day of the storms themselves."""


def rain(makers: RainMakers, grid: Grid, summer: float) -> Numbers:
    """Return the rain in m/s."""
    latitude = grid.latitudes()[:, None].astype(np.float32)
    usual = mean_state.vapour(latitude, summer)
    wet = makers.vapour / (usual + 3)
    texture = 0.8 * makers.rough + 0.55 * makers.grain
    # where trade winds meet, showers need no push; elsewhere only air that is moist for its place
    push = texture + 1.1 * np.clip(wet - 1, -1, 1.5) - 0.8
    push = push + 0.9 * mean_state.convergence_zone(latitude, summer)
    showers = 0.105 * makers.vapour * np.maximum(0, push) ** 2 * makers.showers
    # air that slides poleward rises over colder air and rains out steadily
    lifting = np.clip((makers.poleward - 0.5) / 6, 0, 2.5)
    steady = 0.25 * makers.vapour * lifting * np.clip(0.35 + texture, 0, 2.5)
    front = np.clip(_slope(makers.advected, grid) - 0.9, 0, 3) * np.clip(1 + makers.rough, 0, 2.5)
    fronts = 0.3 * front * np.sqrt(makers.vapour)
    storms = makers.storms * np.clip(1 + 0.35 * makers.rough, 0.2, 2)
    return np.asarray((showers + steady + fronts + storms) * MM_A_DAY, np.float32)


def _slope(advected: Numbers, grid: Grid) -> Numbers:
    """Return the gradient of the temperature that was advected, in K per 100 km."""
    shrink = np.maximum(np.cos(np.radians(grid.latitudes())), 0.2)[:, None]
    per_pixel = np.hypot(
        np.gradient(advected, axis=0),
        (np.roll(advected, -1, 1) - np.roll(advected, 1, 1)) / (2 * shrink),
    )
    return np.asarray(per_pixel * 100 / (111.2 * grid.latitude_step), np.float32)
