"""The course of an atmospheric river, from the warm side of its cyclone to the subtropics."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from baryon_climate.generation.patch import KM_PER_DEGREE, Patch
from baryon_climate.generation.storms import River
from baryon_climate.grid import Grid

Numbers = npt.NDArray[np.float32]
POINTS = 16
"""Of an axis; straight between them."""


@dataclass(frozen=True)
class Course:
    """A river on a grid, around the middle of its axis."""

    patch: Patch
    distance: Numbers
    """km from the axis."""
    along: Numbers
    """0 at the tail to 1 at the head of the nearest point of the axis."""
    east: Numbers
    north: Numbers
    """Direction of the flow there, of length one."""

    @property
    def envelope(self) -> Numbers:
        """Strength along the axis, (rows, columns): 1 in the middle, 0 at both ends."""
        return np.asarray(np.maximum(np.sin(np.pi * self.along), 0) ** 0.7)


def course(grid: Grid, river: River, head: tuple[float, float], side: int, scale: float) -> Course:
    """Return where a river runs whose cyclone of size `scale` km has its centre at `head`."""
    axis = _axis(river, head, side, scale)
    middle = axis[POINTS // 2]
    # as wide as the vapour reaches: three widths from the axis there is 1e-4 of it left
    patch = Patch.around(grid, middle[0], middle[1], river.length / 2 + 3 * river.width)
    points = np.stack(
        [
            (axis[:, 1] - middle[1]) * KM_PER_DEGREE * np.cos(np.radians(axis[:, 0])),
            (axis[:, 0] - middle[0]) * KM_PER_DEGREE,
        ],
        axis=1,
    ).astype(np.float32)
    return _nearest(patch, points)


def _axis(
    river: River, head: tuple[float, float], side: int, scale: float
) -> npt.NDArray[np.float64]:
    """Return the axis (POINTS, 2): latitude and longitude, tail first, also beyond 360 degrees."""
    # it meets the low on its warm side, a little equatorward and east of the centre
    latitude = head[0] - side * 0.15 * scale / KM_PER_DEGREE
    shrink = np.cos(np.radians(latitude))
    longitude = head[1] + 0.75 * scale / KM_PER_DEGREE / shrink
    points = [(latitude, longitude)]
    step = river.length / (POINTS - 1)
    for number in range(POINTS - 1):
        part = number / (POINTS - 1)
        angle = 1.05 - 0.75 * part + river.bend * np.sin(2 * np.pi * part)
        latitude -= side * step * np.sin(angle) / KM_PER_DEGREE
        longitude -= step * np.cos(angle) / KM_PER_DEGREE / np.cos(np.radians(latitude))
        points.append((latitude, longitude))
    return np.array(points[::-1])


def _nearest(patch: Patch, points: Numbers) -> Course:
    """Return distance and direction of the nearest point of the axis for each point of a patch."""
    shape = np.broadcast_shapes(patch.x.shape, patch.y.shape)
    best = np.full(shape, np.inf, np.float32)
    along, east, north = (np.zeros(shape, np.float32) for _ in range(3))
    for number, (start, stop) in enumerate(pairwise(points)):
        run = stop - start
        length = float(np.hypot(*run))
        x, y = patch.x - start[0], patch.y - start[1]
        # the nearest point of this piece of the axis, within its ends
        part = np.clip((x * run[0] + y * run[1]) / length**2, 0, 1)
        squared = (x - part * run[0]) ** 2 + (y - part * run[1]) ** 2
        nearer = squared < best
        best = np.where(nearer, squared, best)
        along = np.where(nearer, (number + part) / (len(points) - 1), along)
        east = np.where(nearer, run[0] / length, east)
        north = np.where(nearer, run[1] / length, north)
    return Course(patch, np.sqrt(best), along, east, north)
