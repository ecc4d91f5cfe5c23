"""Regular latitude-longitude grids: pixels and degrees, areas, distances, the longitude seam.

A whole number of pixels is the centre of a row or column: row 0 of CAM5's grid is the South Pole,
row 767 the North Pole, column 0 is 0 degrees east.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

EARTH_RADIUS = 6371.0
"""km, of the sphere with the Earth's volume."""
Numbers = npt.NDArray[np.float64]
Pixels = float | npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Grid:
    """Degrees of row 0 and column 0, and the steps between their neighbours."""

    height: int
    width: int
    latitude: float
    latitude_step: float
    longitude: float
    longitude_step: float
    cyclic: bool
    """The column after the last is the first: the whole circle is covered, in equal steps."""

    @staticmethod
    def globe(height: int, width: int) -> Grid:
        """Both poles are rows, as on CAM5's finite-volume grid (768, 1152)."""
        return Grid(height, width, -90.0, 180.0 / (height - 1), 0.0, 360.0 / width, True)

    @staticmethod
    def of(array: npt.NDArray[Any], height: int, width: int) -> Grid:
        """From the five numbers that a batch carries as `grid`."""
        latitude, latitude_step, longitude, longitude_step, cyclic = map(float, array)
        return Grid(
            height, width, latitude, latitude_step, longitude, longitude_step, cyclic == 1.0
        )

    def array(self) -> Numbers:
        """(5,) latitude, its step, longitude, its step (degrees), 1.0 if cyclic."""
        return np.array(
            [
                self.latitude,
                self.latitude_step,
                self.longitude,
                self.longitude_step,
                float(self.cyclic),
            ]
        )

    def crop(self, row: int, column: int, height: int, width: int) -> Grid:
        """Return the part from a row and a column on; it is cyclic only if it has all columns."""
        return Grid(
            height,
            width,
            self.latitude + row * self.latitude_step,
            self.latitude_step,
            (self.longitude + column * self.longitude_step) % 360.0,
            self.longitude_step,
            self.cyclic and width == self.width,
        )

    def latitudes(self, rows: Pixels | None = None) -> Numbers:
        """Degrees north of the given rows, or of all."""
        rows = np.arange(self.height) if rows is None else np.asarray(rows)
        return np.asarray(self.latitude + rows * self.latitude_step, np.float64)

    def longitudes(self, columns: Pixels | None = None) -> Numbers:
        """Degrees east, from 0 to below 360, of the given columns, or of all."""
        columns = np.arange(self.width) if columns is None else np.asarray(columns)
        return np.asarray((self.longitude + columns * self.longitude_step) % 360.0, np.float64)

    def rows(self, latitudes: Pixels) -> Numbers:
        """Pixels of the given latitudes."""
        return np.asarray((np.asarray(latitudes) - self.latitude) / self.latitude_step)

    def columns(self, longitudes: Pixels) -> Numbers:
        """Pixels of the given longitudes, counted eastward from column 0 and below one circle."""
        east = np.sign(self.longitude_step) * (np.asarray(longitudes) - self.longitude)
        return np.asarray((east % 360.0) / abs(self.longitude_step))

    def areas(self, boxes: npt.NDArray[Any]) -> Numbers:
        """km2 on the sphere of boxes (n, 4): ymin, xmin, ymax, xmax."""
        low, high = (
            np.sin(np.radians(np.clip(self.latitudes(boxes[:, row]), -90, 90))) for row in (0, 2)
        )
        width = np.radians((boxes[:, 3] - boxes[:, 1]) * abs(self.longitude_step))
        return np.asarray(EARTH_RADIUS**2 * np.abs(high - low) * width)

    def cell_areas(self) -> Numbers:
        """(height,) km2 of one pixel of each row; a row at a pole has half of its cell."""
        half = abs(self.latitude_step) / 2
        rows = self.latitudes()
        low, high = (
            np.sin(np.radians(np.clip(rows + side, -90.0, 90.0))) for side in (-half, half)
        )
        return np.asarray(
            EARTH_RADIUS**2 * (high - low) * np.radians(abs(self.longitude_step)), np.float64
        )


def distance(
    latitude: Pixels, longitude: Pixels, other_latitude: Pixels, other_longitude: Pixels
) -> Numbers:
    """Great-circle distance in km of points given in degrees (haversine formula)."""
    # haversine: exact for near points too, where the arc cosine loses its digits
    phi, other_phi = np.radians(latitude), np.radians(other_latitude)
    across = np.radians(np.asarray(other_longitude) - np.asarray(longitude))
    root = np.sin((other_phi - phi) / 2) ** 2
    root = root + np.cos(phi) * np.cos(other_phi) * np.sin(across / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS * np.arcsin(np.sqrt(np.clip(root, 0.0, 1.0))))
