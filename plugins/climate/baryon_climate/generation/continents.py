"""Land and mountains: coarse outlines of the continents, enough for a believable climate."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon_climate.grid import Grid

Numbers = npt.NDArray[np.float32]

OUTLINES = """
North America: -168 66, -156 71, -128 70, -95 72, -82 68, -94 60, -82 52, -78 62, -65 60, -56 52,
-66 49, -65 44, -71 42, -76 35, -81 31, -80 25, -84 30, -94 29, -97 26, -97 21, -91 18, -87 21,
-88 16, -83 14, -82 9, -78 8, -85 11, -95 16, -105 20, -113 30, -117 33, -124 41, -124 48, -134
57, -150 60, -164 55, -158 59, -166 62

South America: -78 8, -72 12, -61 10, -51 4, -35 -6, -39 -15, -48 -26, -57 -36, -65 -42, -68 -54,
-75 -50, -73 -38, -70 -18, -81 -5, -78 2

Africa: -17 15, -10 30, -6 36, 10 37, 20 32, 32 31, 37 22, 43 12, 51 12, 40 -4, 40 -15, 35 -22, 31
-29, 20 -35, 14 -22, 9 -1, 8 4, -8 5

Eurasia: -9 37, -9 43, -1 44, -4 48, 8 54, 9 57, 20 55, 29 60, 22 64, 17 61, 11 59, 6 59, 15 68,
28 71, 42 67, 68 69, 80 73, 105 77, 140 73, 180 69, 178 63, 163 58, 156 51, 142 59, 140 54, 130
43, 127 36, 121 39, 121 30, 109 21, 106 10, 103 2, 99 10, 94 17, 88 22, 80 14, 77 8, 72 20, 60 25,
57 21, 45 13, 36 28, 36 36, 27 37, 23 36, 14 45, 18 40, 12 42, 3 43, -1 37

Australia: 114 -22, 122 -17, 131 -12, 136 -14, 142 -11, 153 -27, 150 -37, 140 -38, 131 -32, 116
-35

Greenland: -55 60, -43 60, -22 70, -18 80, -35 83, -60 82, -70 77, -55 70

Borneo and Java: 96 5, 106 -6, 115 -8, 119 -3, 118 6, 110 2, 104 1

New Guinea: 131 -1, 147 -6, 150 -10, 138 -8

Japan: 130 32, 140 36, 145 43, 140 42, 136 36

Britain: -5 50, 1 52, -2 58, -6 58, -4 54

Madagascar: 44 -16, 50 -16, 47 -25, 44 -24

New Zealand: 167 -46, 174 -41, 178 -38, 173 -35, 174 -42

Antarctica: -180 -90, -180 -78, -150 -77, -120 -74, -75 -73, -60 -64, -62 -75, -30 -77, 0 -70, 50
-67, 110 -66, 150 -69, 165 -72, 165 -78, 180 -78, 180 -90
"""
"""A continent or large island a paragraph: longitudes and latitudes along its coast."""

RIDGES = (
    (-70, -20, 5, 22, 3600),  # Andes
    (-112, 42, 12, 16, 1900),  # Rocky Mountains
    (90, 33, 17, 7, 4600),  # Tibet
    (42, 9, 7, 9, 1700),  # Ethiopia
    (-42, 72, 12, 9, 2500),  # Greenland
    (75, 42, 12, 6, 2000),  # Tien Shan
    (10, 46, 6, 2, 1500),  # Alps
    (100, 50, 20, 6, 1100),  # Mongolia
    (45, 36, 14, 5, 1400),  # Iran
    (25, -27, 9, 8, 1200),  # Drakensberg
    (138, -5, 6, 2, 1500),  # New Guinea
    (90, -82, 200, 12, 2600),  # Antarctica
)
"""Longitude, latitude, half-widths in degrees east and north, height in m."""


@dataclass(frozen=True)
class Geography:
    """Land and mountains on a grid, (height, width) each."""

    land: Numbers
    """0 at sea, 1 on land, between them at the coast."""
    height: Numbers
    """m above the sea."""


def geography(grid: Grid) -> Geography:
    """Return the land and the mountains of a grid."""
    # steepened again after blurring, so that land is 1 and sea 0 a degree or two from the coast
    land = np.clip(_sampled(_blurred(_raster()), grid) * 4 - 1.5, 0, 1)
    latitude, longitude = grid.latitudes()[:, None], grid.longitudes()[None, :]
    height = 250 * land
    for east, north, wide, high, top in RIDGES:
        across = (longitude - east + 180) % 360 - 180
        height = np.maximum(
            height, top * np.exp(-((across / wide) ** 2) - ((latitude - north) / high) ** 2)
        )
    return Geography(land.astype(np.float32), (height * land).astype(np.float32))


def _raster() -> npt.NDArray[np.float64]:
    """Draw land on a grid of one degree, (181, 360) from the South Pole and 0 degrees east."""
    # a little beside whole degrees, so that no point lies on an outline
    latitude = np.linspace(-89.9, 89.9, 181)[:, None]
    longitude = (np.arange(360)[None, :] + 180.05) % 360 - 180
    land = np.zeros((181, 360), bool)
    for paragraph in OUTLINES.strip().split("\n\n"):
        points = paragraph.partition(":")[2].split(",")
        outline = [(float(x), float(y)) for x, y in map(str.split, points)]
        land |= _inside(outline, latitude, longitude)
    return land.astype(float)


def _inside(outline: Any, latitude: Any, longitude: Any) -> npt.NDArray[np.bool_]:
    """Return whether a ray to the north crosses the outline an odd number of times."""
    crossed = np.zeros(np.broadcast_shapes(latitude.shape, longitude.shape), bool)
    for (x0, y0), (x1, y1) in pairwise([*outline, outline[0]]):
        if x0 == x1:
            continue
        between = (x0 <= longitude) != (x1 <= longitude)
        above = y0 + (longitude - x0) / (x1 - x0) * (y1 - y0) > latitude
        crossed ^= between & above
    return crossed


def _blurred(land: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Average over 5 x 5 degrees: coasts are gradual, as weather sees them."""
    for _ in range(2):
        land = (np.roll(land, 1, 1) + land + np.roll(land, -1, 1)) / 3
        padded = np.pad(land, ((1, 1), (0, 0)), mode="edge")
        land = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    return land


def _sampled(coarse: npt.NDArray[np.float64], grid: Grid) -> npt.NDArray[np.float64]:
    """Interpolate a field of `_raster` bilinearly at the points of a grid."""
    y = np.clip(grid.latitudes() + 90, 0, 179.999)
    x = grid.longitudes() % 360
    row, column = y.astype(int), x.astype(int) % 360
    down, across = (y - row)[:, None], (x - x.astype(int))[None, :]
    east = (column + 1) % 360
    near = coarse[row][:, column] * (1 - across) + coarse[row][:, east] * across
    far = coarse[row + 1][:, column] * (1 - across) + coarse[row + 1][:, east] * across
    return np.asarray(near * (1 - down) + far * down)
