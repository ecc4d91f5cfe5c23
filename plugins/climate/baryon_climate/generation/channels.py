"""The 16 channels of a frame from the state of the atmosphere and where its air came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon_climate.fields import NAMES
from baryon_climate.generation import mean_state
from baryon_climate.generation.continents import Geography
from baryon_climate.generation.daily_cycle import DailyCycle
from baryon_climate.generation.rain import RainMakers, rain
from baryon_climate.generation.state import AtmosphericState
from baryon_climate.grid import Grid

Numbers = npt.NDArray[np.float32]
GRAVITY = 9.81
GAS = 287.0
"""J/(kg K), of dry air."""
LATENT = 5420.0
"""K, latent heat over the gas constant of vapour."""
LOWEST_LEVEL = 63.0
"""m, height of CAM5's lowest level in air of 288 K."""


@dataclass(frozen=True)
class Stirred:
    """What the flow has brought along, (height, width) each."""

    came_from: Numbers
    """Latitude in degrees where the air was 54 hours ago."""
    grain: Numbers
    """A texture of unit variance."""
    rough: Numbers
    """Another one."""


@dataclass(frozen=True)
class Surroundings:
    """What a frame is made in: its grid, ground and time."""

    grid: Grid
    geography: Geography
    ground: mean_state.Ground
    daily: DailyCycle
    summer: float
    """Season as `mean_state.season` counts it."""

    @property
    def latitude(self) -> Numbers:
        """Degrees north, (height, 1)."""
        return self.grid.latitudes()[:, None].astype(np.float32)


@dataclass(frozen=True)
class _Surface:
    """Temperatures in K near the ground."""

    air: Numbers
    skin: Numbers
    advected: Numbers
    """K that the air is warmer than usual at its latitude."""


def channels(state: AtmosphericState, stirred: Stirred, around: Surroundings) -> Numbers:
    """Return the frame (16, height, width) in the channels' units."""
    surface = _surface(stirred, around)
    vapour = _vapour(state, stirred, around)
    values = {
        **_near_surface(state, stirred, around, surface, vapour),
        **_aloft(state, stirred, around),
    }
    values["PRECT"] = rain(
        RainMakers(
            vapour,
            np.abs(around.latitude) - np.abs(stirred.came_from),
            surface.advected,
            stirred.grain,
            stirred.rough,
            around.daily.showers,
            state.rain,
        ),
        around.grid,
        around.summer,
    )
    images = np.empty((len(NAMES), *around.geography.land.shape), np.float32)
    for number, name in enumerate(NAMES):
        images[number] = values[name]
    return images


def _surface(stirred: Stirred, around: Surroundings) -> _Surface:
    land, summer = around.geography.land, around.summer
    usual = mean_state.surface_temperature(around.latitude, summer)
    advected = 0.62 * (mean_state.surface_temperature(stirred.came_from, summer) - usual)
    air = usual + around.ground.warmth + advected * (0.5 + 0.4 * land) + 0.5 * stirred.grain
    air = air + around.daily.air
    # the sea hardly feels the weather of two days
    sea = np.maximum(usual + 0 * land, 271.4)  # K, where sea water freezes
    on_land = air + around.daily.skin + 0.6 * stirred.rough
    return _Surface(air, (1 - land) * (sea + 0.04 * advected) + land * on_land, advected)


def _vapour(state: AtmosphericState, stirred: Stirred, around: Surroundings) -> Numbers:
    # on its way air loses a little of what it was to its new surroundings
    mixed = around.latitude + 0.95 * (stirred.came_from - around.latitude)
    usual = mean_state.vapour(mixed, around.summer) * around.ground.dryness
    vapour = usual * np.exp(0.22 * stirred.grain)
    vapour = vapour + state.vapour * (1 + 0.22 * stirred.rough)
    return np.asarray(np.clip(vapour, 0.15, 88), np.float32)  # 88: more falls out as rain


def _near_surface(
    state: AtmosphericState,
    stirred: Stirred,
    around: Surroundings,
    surface: _Surface,
    vapour: Numbers,
) -> dict[str, Any]:
    land, height = around.geography.land, around.geography.height
    air, pressure = surface.air, state.pressure
    # friction slows the lowest wind, on land most, and turns it towards low pressure
    drag = (0.72 - 0.27 * land).astype(np.float32)
    veer = np.float32(0.25) * np.sin(np.radians(around.latitude)) / 0.7
    return {
        "PS": pressure * np.exp(-GRAVITY * height / (GAS * (air + 0.003 * height))),
        "PSL": pressure,
        "QREFHT": _humidity(air, pressure, vapour, around),
        "TMQ": vapour,
        "TREFHT": air,
        "TS": surface.skin,
        "UBOT": drag * (state.east - veer * state.north) + state.low_east,
        "VBOT": drag * (state.north + veer * state.east) + state.low_north,
        "Z1000": (pressure - 1e5) * (GAS * air / GRAVITY / 1e5),
        "ZBOT": LOWEST_LEVEL * (air / 288.0) + 0.4 * stirred.rough,
    }


def _aloft(state: AtmosphericState, stirred: Stirred, around: Surroundings) -> dict[str, Any]:
    latitude, summer = around.latitude, around.summer
    middle = mean_state.middle_temperature(latitude, summer)
    moved = 0.62 * (mean_state.middle_temperature(stirred.came_from, summer) - middle)
    upper = mean_state.upper_height(latitude, summer)
    lifted = 0.45 * (mean_state.upper_height(stirred.came_from, summer) - upper)
    drop = state.pressure - around.ground.sea_level_pressure
    return {
        # where the air below is warm the tropopause is high, and the air at 200 hPa cold
        "T200": mean_state.top_temperature(latitude, summer) - 0.9 * moved + state.warm_top,
        "T500": middle + moved + state.warm_middle + 0.3 * stirred.grain,
        "U850": state.east + 0.5 * stirred.rough,
        "V850": state.north + 0.5 * stirred.grain,
        "Z200": upper + lifted + 0.11 * drop + 9.0 * state.warm_top,
    }


def _humidity(air: Numbers, pressure: Numbers, vapour: Numbers, around: Surroundings) -> Any:
    """Return kg/kg at 2 m: saturation (Clausius-Clapeyron) times a humidity like the column's."""
    saturated = 0.622 * 611.0 * np.exp(LATENT * (1 / 273.16 - 1 / air)) / pressure
    column = mean_state.vapour(around.latitude, around.summer)
    dry_land = 0.22 * around.geography.land
    return saturated * np.clip(0.78 - dry_land + 0.12 * (vapour / column - 1), 0.12, 1.0)
