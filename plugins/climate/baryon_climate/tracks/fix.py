"""A fix: where a storm was at one time and how strong, as a line of a track file says it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from baryon_climate.dataset.listed_box import POLE, Moment, number

KNOT = 1852 / 3600
"""m/s."""
NAUTICAL_MILE = 1.852
"""km."""
WESTERNMOST, EASTERNMOST = -360.0, 540.0
"""Degrees east; best tracks near the date line count on beyond 180, or below -180."""
MOST_HPA = 2000.0
"""Sea-level pressures above are in Pa: the highest ever measured is below 1090 hPa."""


class Nature(Enum):
    """What kind of system a fix is of."""

    TROPICAL = "tropical"
    SUBTROPICAL = "subtropical"
    EXTRATROPICAL = "extratropical"
    DISTURBANCE = "disturbance"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Fix:
    """One line of a track."""

    place: str
    """Where in the file it is, for people."""
    storm: str
    """Identifier of the storm, such as IBTrACS's `SID`."""
    moment: Moment
    latitude: float
    """Degrees north."""
    longitude: float
    """Degrees east from 0 to below 360."""
    wind: float = math.nan
    """Maximum sustained wind in m/s; NaN where the file says none."""
    pressure: float = math.nan
    """Minimum sea-level pressure in hPa; NaN where the file says none."""
    nature: Nature = Nature.UNKNOWN
    gale_radius: float = math.nan
    """Mean radius of winds of 34 knots in km; NaN where the file says none."""
    kind: int | None = None
    """Number of its class, where the file says one of ours."""


def position(latitude: str, longitude: str) -> tuple[float, float] | None:
    """Read a position in degrees; None if a part is empty or a fill value (-999).

    Raises `ValueError` for text that is no number, or a position that is not on the Earth.
    """
    if not latitude.strip() or not longitude.strip():
        return None
    north, east = number("latitude", latitude), number("longitude", longitude)
    if north <= -999 or east <= -999:
        return None
    if abs(north) > POLE:
        raise ValueError(f"the latitude {north:g} is not from -90 to 90")
    if not WESTERNMOST <= east <= EASTERNMOST:
        raise ValueError(f"the longitude {east:g} is not from {WESTERNMOST:g} to {EASTERNMOST:g}")
    return min(max(north, -90.0), 90.0), east % 360.0


def quantity(name: str, text: str) -> float:
    """Read a wind, a pressure or a radius; NaN if it is empty, below 0 or 'nan'.

    Fill values of track files are -99, -999 and -9999, and no wind or pressure is below 0.
    """
    if not text.strip() or text.strip().lower() == "nan":
        return math.nan
    value = number(name, text)
    return value if value >= 0 else math.nan


def hectopascals(pressure: float) -> float:
    """Convert a sea-level pressure that may be in Pa; NaN for 0, which some files mean by none."""
    if pressure <= 0:
        return math.nan
    return pressure / 100 if pressure > MOST_HPA else pressure


def mean_radius(quadrants: list[float]) -> float:
    """Return the mean in km of radii in nautical miles of four quadrants; NaN if there is none.

    A quadrant of 0 has no such wind and counts; where all are 0 or missing there is no radius.
    """
    known = [radius for radius in quadrants if not math.isnan(radius)]
    return NAUTICAL_MILE * sum(known) / len(known) if any(known) else math.nan
