"""The surroundings of a point on a grid, with local coordinates in km."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon_climate.grid import Grid

KM_PER_DEGREE = 111.2
Numbers = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Patch:
    """Rows and columns of a grid, the latter across the seam."""

    rows: slice
    columns: npt.NDArray[np.int64]
    x: Numbers
    """km to the east of the point, (rows, columns)."""
    y: Numbers
    """km to the north, (rows, 1)."""

    @staticmethod
    def around(grid: Grid, latitude: float, longitude: float, reach: float) -> Patch:
        """Return the patch of all points up to `reach` km to the north, south, east and west."""
        centre = float(grid.rows(latitude))
        half = reach / KM_PER_DEGREE / grid.latitude_step
        rows = slice(max(0, int(centre - half)), min(grid.height, int(centre + half) + 2))
        latitudes = grid.latitudes(np.arange(rows.start, rows.stop))
        shrink = np.maximum(np.cos(np.radians(latitudes)), 0.12)
        # near the poles any reach spans the circle: count columns as at 78 degrees there
        narrowest = max(0.2, float(shrink.min()))
        wide = int(reach / KM_PER_DEGREE / grid.longitude_step / narrowest) + 1
        middle = float(grid.columns(longitude))
        columns = np.arange(int(middle) - wide, int(middle) + wide + 2)[: grid.width]
        east = (columns - middle) * grid.longitude_step * KM_PER_DEGREE
        return Patch(
            rows,
            columns % grid.width,
            (east[None, :] * shrink[:, None]).astype(np.float32),
            ((latitudes - latitude) * KM_PER_DEGREE)[:, None].astype(np.float32),
        )

    def of(self, field: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a copy of a field's part."""
        return field[self.rows][:, self.columns]

    def add(self, field: npt.NDArray[Any], values: Any) -> None:
        """Add values to a field's part, in place."""
        field[self.rows, self.columns] += values

    @property
    def radius(self) -> Numbers:
        """Distance from the point in km, at least one."""
        return np.maximum(np.hypot(self.x, self.y), 1.0)
