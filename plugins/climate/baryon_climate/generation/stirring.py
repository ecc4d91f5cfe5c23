"""Where the air of each point came from: backward trajectories in the stream of the moment.

Vapour and temperature that the flow has drawn out of other latitudes give a map its filaments and
fronts. The trajectories run in a frame that moves with the weather.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from baryon_climate.generation.mean_state import pattern_speed
from baryon_climate.grid import EARTH_RADIUS, Grid

Numbers = npt.NDArray[np.float32]
STEPS = 10
"""Of a trajectory."""
HOURS = 54.0


def origins(grid: Grid, east: Numbers, north: Numbers) -> tuple[Numbers, Numbers]:
    """Return the rows and columns (no whole numbers, columns not wrapped) of the air `HOURS` ago.

    `east` and `north` are the wind in m/s.
    """
    seconds = HOURS * 3600 / STEPS
    latitude = grid.latitudes()
    shrink = np.maximum(np.cos(np.radians(latitude)), 0.15)[:, None]
    metres = EARTH_RADIUS * 1000 * np.radians(1.0)
    # weather moves with the pattern: seen from there the stream is nearly steady for days
    across = (east - pattern_speed(latitude)[:, None]) * seconds
    across = (across / (metres * grid.longitude_step * shrink)).astype(np.float32)
    along = (north * (seconds / (metres * grid.latitude_step))).astype(np.float32)
    rows, columns = (
        np.ascontiguousarray(index, np.float32)
        for index in np.meshgrid(np.arange(grid.height), np.arange(grid.width), indexing="ij")
    )
    for _ in range(STEPS):  # backward, with the wind at the place reached
        x, y = sampled((across, along), rows, columns)
        columns = columns - x
        rows = np.clip(rows - y, 0, grid.height - 1)
    return rows, columns


def sampled(fields: tuple[Numbers, ...], rows: Numbers, columns: Numbers) -> list[Numbers]:
    """Interpolate fields bilinearly at points; columns go round."""
    height, width = fields[0].shape
    row = np.minimum(rows.astype(np.int32), height - 2)
    floor = np.floor(columns)
    down, across = rows - row, columns - floor
    column = floor.astype(np.int32) % width
    east = np.where(column == width - 1, 0, column + 1)
    corner, right = row * width + column, row * width + east
    values = []
    for field in fields:
        flat = field.ravel()
        top = flat[corner] * (1 - across) + flat[right] * across
        bottom = flat[corner + width] * (1 - across) + flat[right + width] * across
        values.append(top + (bottom - top) * down)
    return values


def enlarged(field: Numbers, grid: Grid, coarse: Grid) -> Numbers:
    """Interpolate a field of a coarser globe at all points of a finer one (or the other way)."""
    rows: Any = coarse.rows(grid.latitudes()).astype(np.float32)
    columns: Any = coarse.columns(grid.longitudes()).astype(np.float32)
    row = np.minimum(rows.astype(int), coarse.height - 2)
    down = (rows - row)[:, None]
    column = columns.astype(int)
    across = (columns - column)[None, :]
    wide = np.take(field, column, 1, mode="wrap") * (1 - across)
    wide += np.take(field, column + 1, 1, mode="wrap") * across
    return np.asarray(wide[row] * (1 - down) + wide[row + 1] * down, np.float32)
