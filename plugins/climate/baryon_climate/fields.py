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
    level: float | None = None
    """hPa, for a field on a pressure level."""


_WIND = "eastward_wind", "northward_wind"
_HEIGHT = ("geopotential_height",)
_TEMPERATURE = ("air_temperature",)

CHANNELS = (
    Channel("PRECT", "m/s", "total precipitation rate", ("lwe_precipitation_rate",)),
    Channel("PS", "Pa", "surface pressure", ("surface_air_pressure",)),
    Channel(
        "PSL",
        "Pa",
        "sea-level pressure",
        ("air_pressure_at_mean_sea_level", "air_pressure_at_sea_level"),
    ),
    Channel("QREFHT", "kg/kg", "specific humidity at 2 m", ("specific_humidity",)),
    Channel("T200", "K", "temperature at 200 hPa", _TEMPERATURE, 200.0),
    Channel("T500", "K", "temperature at 500 hPa", _TEMPERATURE, 500.0),
    Channel(
        "TMQ",
        "kg/m2",
        "precipitable water",
        ("atmosphere_mass_content_of_water_vapor", "atmosphere_water_vapor_content"),
    ),
    Channel("TREFHT", "K", "temperature at 2 m", _TEMPERATURE),
    Channel("TS", "K", "surface temperature", ("surface_temperature",)),
    Channel("U850", "m/s", "eastward wind at 850 hPa", (_WIND[0],), 850.0),
    Channel("UBOT", "m/s", "eastward wind at the lowest model level", (_WIND[0],)),
    Channel("V850", "m/s", "northward wind at 850 hPa", (_WIND[1],), 850.0),
    Channel("VBOT", "m/s", "northward wind at the lowest model level", (_WIND[1],)),
    Channel("Z1000", "m", "geopotential height at 1000 hPa", _HEIGHT, 1000.0),
    Channel("Z200", "m", "geopotential height at 200 hPa", _HEIGHT, 200.0),
    Channel("ZBOT", "m", "height of the lowest model level", _HEIGHT),
)
NAMES = tuple(channel.name for channel in CHANNELS)
UNITS = tuple(channel.unit for channel in CHANNELS)


def index(name: str) -> int:
    """A channel's place in a frame."""
    return NAMES.index(name)
