"""The climate without weather: how each field depends on latitude, season and ground.

Shapes are those of textbook zonal means (as remembered). Sizes were set so that an October has the
zonal means of a real frame of October 11 (`benchmarks/climate_realism.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon_climate.generation.continents import Geography
from baryon_climate.grid import Grid

Numbers = npt.NDArray[np.float32]
Value = Any
YEAR = 365.0
WARMEST_DAY = 205.0


def season(day: float) -> float:
    """Return 1 at the height of the northern summer, -1 half a year later."""
    return float(np.cos(2 * np.pi * (day - WARMEST_DAY) / YEAR))


def surface_temperature(latitude: Value, summer: float) -> Value:
    """Return the zonal mean at sea level in K."""
    away = np.abs(np.sin(np.radians(np.clip(latitude - 5 * summer, -90, 90))))
    return 300.5 - 47.0 * away**2.9


def middle_temperature(latitude: Value, summer: float) -> Value:
    """Return the zonal mean at 500 hPa in K."""
    return 268.5 - 33.0 * np.abs(np.sin(np.radians(np.clip(latitude - 6 * summer, -90, 90)))) ** 2.2


def top_temperature(latitude: Value, summer: float) -> Value:
    """Return the zonal mean at 200 hPa in K: cold towards the winter pole only."""
    polar = (latitude / 90) ** 2
    return 220.0 - (8.0 - 8.0 * summer * np.sign(latitude)) * polar


def convergence_zone(latitude: Value, summer: float) -> Value:
    """Return 0 to 1: how near it is to where the trade winds of both hemispheres meet."""
    return np.exp(-(((latitude - 5 - 4 * summer) / 7) ** 2))


def vapour(latitude: Value, summer: float) -> Value:
    """Return the zonal mean of vapour at sea, kg/m2: most in the convergence zone."""
    away = np.abs(latitude - 6 * summer)
    return 1.5 + 43.5 * np.exp(-((away / 42) ** 1.4)) + 5.0 * convergence_zone(latitude, summer)


def storminess(latitude: Value) -> Value:
    """Return the share of the storm tracks' waves that a latitude has."""
    away = np.abs(latitude) - 50
    return 0.27 + 0.73 * np.exp(-((away / np.where(away > 0, 26, 18)) ** 2))


def sea_level_pressure(latitude: Value, summer: float) -> Value:
    """Return the zonal mean in Pa: low at the equator and around 60 degrees, high between."""
    subtropics = np.exp(-(((np.abs(latitude - 2 * summer) - 32) / 14) ** 2))
    subpolar = np.exp(-(((np.abs(latitude) - 64) / 13) ** 2))
    # No land breaks the low around Antarctica, which is far deeper than the one in the north.
    south = np.where(latitude < 0, 2500.0, 900.0)
    return (
        100_950
        + 950 * subtropics
        - subpolar * south
        + 250 / (1 + np.exp((80 - np.abs(latitude)) / 3))
    )


def zonal_wind(latitude: Value, summer: float) -> Value:
    """Return the eastward wind at 850 hPa in m/s: trades and westerlies."""
    trades = -7.5 * np.exp(-(((np.abs(latitude - 3 * summer) - 13) / 9) ** 2))
    north = (8.5 - 3.0 * summer) * np.exp(-(((latitude - 44 - 4 * summer) / 12) ** 2))
    south = 13.0 * np.exp(-(((latitude + 48) / 12) ** 2))
    return trades - 1.5 * np.exp(-((latitude / 6) ** 2)) + north + south


def pattern_speed(latitude: Value) -> Value:
    """Return how fast weather moves eastward, in m/s; air streams through it."""
    westerlies = np.exp(-(((np.abs(latitude) - 47) / 15) ** 2))
    return 8.5 * westerlies - 4.0 * np.exp(-((latitude / 20) ** 2))


def upper_height(latitude: Value, summer: float) -> Value:
    """Return the height of the 200 hPa surface in m."""
    away = np.abs(np.sin(np.radians(np.clip(latitude - 8 * summer, -90, 90))))
    return 12_420.0 - 1_450.0 * away**2.3


@dataclass(frozen=True)
class Ground:
    """What of a grid never changes within a day."""

    sea_level_pressure: Numbers
    """Pa, with the standing highs and lows of the season."""
    warmth: Numbers
    """K that land is warmer than the zonal mean in summer, colder in winter and on mountains."""
    dryness: Numbers
    """What is left of the zonal mean's vapour over deserts, cold water and mountains."""


def ground(grid: Grid, geography: Geography, summer: float) -> Ground:
    """Return what the ground does to the atmosphere at a time of the year."""
    latitude, longitude = grid.latitudes()[:, None], grid.longitudes()[None, :]
    side = np.sin(np.radians(latitude))
    warmth = geography.land * (17 * side * summer * np.abs(side) ** 0.3 + 2) - 0.0055 * (
        geography.height
    )
    pressure = sea_level_pressure(latitude, summer) + _standing(latitude, longitude, summer)
    dryness = np.exp(-geography.height / 2300.0) * (1 - 0.35 * _deserts(latitude, longitude))
    return Ground(
        np.broadcast_to(pressure, geography.land.shape).astype(np.float32),
        warmth.astype(np.float32),
        (dryness * (1 + 0.16 * _bump(latitude, longitude, 130, 5, 45, 14))).astype(np.float32),
    )


def _bump(
    latitude: Value, longitude: Value, east: float, north: float, wide: float, high: float
) -> Value:
    """Return a Gaussian around a place; all in degrees."""
    # The short way around: a bump near 0 degrees east reaches over the seam.
    across = (longitude - east + 180) % 360 - 180
    return np.exp(-((across / wide) ** 2) - ((latitude - north) / high) ** 2)


def _standing(latitude: Value, longitude: Value, summer: float) -> Value:
    """Return the pressure (Pa) of lows and highs that stand all season, such as Iceland's."""
    winter = (1 - summer) / 2
    return (
        -900 * winter * _bump(latitude, longitude, 335, 62, 30, 12)
        - 1000 * winter * _bump(latitude, longitude, 185, 52, 32, 12)
        + 1500 * winter * _bump(latitude, longitude, 100, 50, 35, 14)
        - 900 * (1 - winter) * _bump(latitude, longitude, 75, 28, 30, 11)
        + 600 * _bump(latitude, longitude, 325, 34, 28, 11)
        + 600 * _bump(latitude, longitude, 220, 36, 28, 11)
        + 550 * _bump(latitude, longitude, 268, -30, 28, 11)
        + 450 * _bump(latitude, longitude, 85, -32, 28, 11)
        + 450 * _bump(latitude, longitude, 350, -30, 22, 11)
    )


def _deserts(latitude: Value, longitude: Value) -> Value:
    """Return how far a place is a desert: Sahara, Kalahari, Australia, central Asia, cold seas."""
    return np.clip(
        1.3 * _bump(latitude, longitude, 15, 23, 38, 10)
        + _bump(latitude, longitude, 268, -22, 22, 11)
        + 0.8 * _bump(latitude, longitude, 235, 24, 20, 9)
        + 0.8 * _bump(latitude, longitude, 2, -20, 16, 10)
        + 0.8 * _bump(latitude, longitude, 132, -25, 18, 9)
        + 0.7 * _bump(latitude, longitude, 62, 33, 25, 9),
        0,
        1.3,
    )
