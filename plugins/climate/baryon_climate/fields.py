"""The 16 channels of an ExtremeWeather frame, in the order of the file.

Names and order: reported (`extremeweatherdataset.github.io`, the configs of `eracah/hur-detect`).
Slot 13 is `Z1000` in the authors' code and in TECA, `Z100` on the website; the code is followed.
Units are those of CAM5's history files.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Channel:
    """One physical field of a frame."""

    name: str
    """CAM5's name."""
    unit: str
    long_name: str
    standard_names: tuple[str, ...]
    """CF standard names that it may carry."""
    plausible: tuple[float, float]
    """Beyond these the Earth's atmosphere has no such values."""
    level: float | None = None
    """hPa, for a field on a pressure level."""


_WIND = "eastward_wind", "northward_wind"
_HEIGHT = ("geopotential_height",)
_TEMPERATURE = ("air_temperature",)

_SPEED = (-150.0, 150.0)

CHANNELS = (
    Channel(
        "PRECT",
        "m/s",
        "total precipitation rate",
        ("lwe_precipitation_rate",),
        (-1e-6, 1e-3),
    ),
    Channel("PS", "Pa", "surface pressure", ("surface_air_pressure",), (4e4, 1.1e5)),
    Channel(
        "PSL",
        "Pa",
        "sea-level pressure",
        ("air_pressure_at_mean_sea_level", "air_pressure_at_sea_level"),
        (8.5e4, 1.1e5),
    ),
    Channel("QREFHT", "kg/kg", "specific humidity at 2 m", ("specific_humidity",), (-1e-3, 0.05)),
    Channel("T200", "K", "temperature at 200 hPa", _TEMPERATURE, (170.0, 270.0), 200.0),
    Channel("T500", "K", "temperature at 500 hPa", _TEMPERATURE, (200.0, 300.0), 500.0),
    Channel(
        "TMQ",
        "kg/m2",
        "precipitable water",
        ("atmosphere_mass_content_of_water_vapor", "atmosphere_water_vapor_content"),
        (-0.1, 150.0),
    ),
    Channel("TREFHT", "K", "temperature at 2 m", _TEMPERATURE, (170.0, 345.0)),
    Channel("TS", "K", "surface temperature", ("surface_temperature",), (170.0, 360.0)),
    Channel("U850", "m/s", "eastward wind at 850 hPa", (_WIND[0],), _SPEED, 850.0),
    Channel("UBOT", "m/s", "eastward wind at the lowest model level", (_WIND[0],), _SPEED),
    Channel("V850", "m/s", "northward wind at 850 hPa", (_WIND[1],), _SPEED, 850.0),
    Channel("VBOT", "m/s", "northward wind at the lowest model level", (_WIND[1],), _SPEED),
    Channel("Z1000", "m", "geopotential height at 1000 hPa", _HEIGHT, (-2e3, 1e3), 1000.0),
    Channel("Z200", "m", "geopotential height at 200 hPa", _HEIGHT, (9e3, 1.4e4), 200.0),
    Channel("ZBOT", "m", "height of the lowest model level", _HEIGHT, (20.0, 150.0)),
)
NAMES = tuple(channel.name for channel in CHANNELS)
UNITS = tuple(channel.unit for channel in CHANNELS)


def index(name: str) -> int:
    """Return a channel's place in a frame."""
    return NAMES.index(name)
