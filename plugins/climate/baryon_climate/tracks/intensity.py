"""How strong a storm is in the fields of its frame: lowest pressure and largest wind in its box."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from baryon_climate.grid import Grid
from baryon_climate.storms import Storms

PRESSURE, EASTWARD, NORTHWARD = "PSL", "UBOT", "VBOT"
CHANNELS = PRESSURE, EASTWARD, NORTHWARD
Numbers = npt.NDArray[np.float64]


def intensities(
    fields: Mapping[str, npt.NDArray[np.floating]], grid: Grid, storms: Storms
) -> tuple[Numbers, Numbers]:
    """Return the lowest sea-level pressure (n,) in hPa and the largest wind (n,) in m/s in boxes.

    `fields` (H, W) are in the channels' units, in Pa and m/s; what needs a channel that is not
    among them is NaN. The wind is that of the lowest model level.
    """
    count = len(storms)
    pressure, wind = np.full(count, np.nan), np.full(count, np.nan)
    for number in range(count):
        rows, columns = _pixels(grid, storms, number)
        inside = np.ix_(rows, columns)
        if PRESSURE in fields:
            pressure[number] = fields[PRESSURE][inside].min() / 100
        if EASTWARD in fields and NORTHWARD in fields:
            wind[number] = np.hypot(fields[EASTWARD][inside], fields[NORTHWARD][inside]).max()
    return pressure, wind


def _pixels(
    grid: Grid, storms: Storms, number: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the rows and columns whose centres lie in a box; the nearest where none does."""
    row, column = (
        float(grid.rows(storms.latitude[number])),
        float(grid.columns(storms.longitude[number])),
    )
    # from the centre, which is on the grid where a side may not be
    tall = (storms.north[number] - storms.south[number]) / abs(grid.latitude_step) / 2
    wide = (storms.east[number] - storms.west[number]) / abs(grid.longitude_step) / 2
    rows = np.clip(_whole(row - tall, row + tall), 0, grid.height - 1)
    columns = _whole(column - wide, column + wide)
    columns = columns % grid.width if grid.cyclic else np.clip(columns, 0, grid.width - 1)
    return np.unique(rows), np.unique(columns)


def _whole(low: float, high: float) -> npt.NDArray[np.int64]:
    inside = np.arange(np.ceil(low - 1e-9), np.floor(high + 1e-9) + 1).astype(np.int64)
    return inside if len(inside) else np.array([round((low + high) / 2)], np.int64)
