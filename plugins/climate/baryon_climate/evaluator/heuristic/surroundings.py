"""Cut out the surroundings of a point of the sphere, within some degrees of arc."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from baryon_climate.evaluator.frames import Floats
from baryon_climate.grid import EARTH_RADIUS, Grid, distance

KM_A_DEGREE = math.radians(1) * EARTH_RADIUS


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A patch of the grid around a centre."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    degrees: Floats
    """(rows, columns) of arc from the centre."""

    def of(self, field: Floats) -> Floats:
        """Return a field (H, W) in the patch."""
        return field[np.ix_(self.rows, self.columns)]

    def extreme(self, field: Floats, radius: float, *, low: bool) -> float:
        """Return the lowest or highest value of a field within a radius in degrees."""
        near = self.of(field)[self.degrees <= radius]
        return float(near.min() if low else near.max())

    def ring(self, field: Floats, radius: float) -> float:
        """Return a field's mean over a ring at a radius (degrees), a pixel wide on either side."""
        return float(self.of(field)[self._at(radius)].mean())

    def profile(self, field: Floats, radii: Floats) -> Floats:
        """Return a field's means over the rings at several radii."""
        values = self.of(field)
        return np.array([values[self._at(radius)].mean() for radius in radii])

    def _at(self, radius: float) -> NDArray[np.bool_]:
        """Mark the pixels of a ring. It is never empty: the nearest pixel belongs to it."""
        apart = np.abs(self.degrees - radius)
        pixel = self._pixel()
        return apart <= max(pixel, float(apart.min()))

    def _pixel(self) -> float:
        middle = self.degrees.shape[0] // 2
        column = self.degrees[:, self.degrees.shape[1] // 2]
        return float(np.abs(np.diff(column)).max()) if middle else 1.0


def around(grid: Grid, row: int, column: int, degrees: float) -> Surroundings:
    """Return the patch of all pixels within `degrees` of one, across the seam of a cyclic frame."""
    high = math.ceil(degrees / abs(grid.latitude_step))
    rows = np.arange(max(0, row - high), min(grid.height, row + high + 1))
    # Columns are nearest to one another in the row next to the pole: it needs most of them. At the
    # pole itself the cosine would be 0.
    poleward = min(89.0, abs(float(grid.latitudes(row))) + degrees)
    wide = math.ceil(degrees / abs(grid.longitude_step) / math.cos(math.radians(poleward)))
    if grid.cyclic:
        # All around the globe no column comes twice.
        wide = min(wide, (grid.width - 1) // 2)
        columns = np.arange(column - wide, column + wide + 1) % grid.width
    else:
        columns = np.arange(max(0, column - wide), min(grid.width, column + wide + 1))
    kilometres = distance(
        float(grid.latitudes(row)),
        float(grid.longitudes(column)),
        grid.latitudes(rows)[:, None],
        grid.longitudes(columns)[None, :],
    )
    return Surroundings(rows, columns, kilometres / KM_A_DEGREE)


def peaks(field: Floats, grid: Grid, least: float, degrees: float) -> Iterator[tuple[int, int]]:
    """Yield row and column of maxima above `least`, `degrees` apart, the highest first."""
    size = [
        max(3, 2 * round(degrees / abs(s) / 2) + 1)
        for s in (grid.latitude_step, grid.longitude_step)
    ]
    mode = ("nearest", "wrap" if grid.cyclic else "nearest")
    highest = maximum_filter(field, size=size, mode=mode)
    # A field that is constant nearby (outside the latitudes of interest) has no peak there.
    flat = highest == minimum_filter(field, size=size, mode=mode)
    maxima = np.argwhere((field == highest) & (field >= least) & ~flat)
    maxima = maxima[np.argsort(-field[maxima[:, 0], maxima[:, 1]], kind="stable")]
    where = np.stack([grid.latitudes(maxima[:, 0]), grid.longitudes(maxima[:, 1])], axis=1)
    taken: list[int] = []
    for number, (latitude, longitude) in enumerate(where):
        far = distance(latitude, longitude, where[taken, 0], where[taken, 1])
        if (far > degrees * KM_A_DEGREE).all():
            taken.append(number)
            yield int(maxima[number, 0]), int(maxima[number, 1])


def box_around(grid: Grid, row: float, column: float, degrees: float) -> list[float]:
    """Return ymin, xmin, ymax, xmax in pixels of a circle with a radius in degrees of arc."""
    high = degrees / abs(grid.latitude_step)
    latitude = min(80.0, abs(float(grid.latitudes(row))))
    wide = degrees / abs(grid.longitude_step) / math.cos(math.radians(latitude))
    ymin, ymax = max(0.0, row - high), min(float(grid.height), row + high)
    xmin, xmax = column - wide, column + wide
    if not grid.cyclic:
        return [ymin, max(0.0, xmin), ymax, min(float(grid.width), xmax)]
    turn = grid.width if xmin < 0 else 0
    return [ymin, xmin + turn, ymax, xmax + turn]
