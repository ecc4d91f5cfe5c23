"""Storms that are made up, on CAM5's grid."""

from collections.abc import Callable

import numpy as np
import pytest

from baryon_climate.grid import Grid
from baryon_climate.storms import Storms, storms

GLOBE = Grid.globe(768, 1152)


def _storms(frame: int, time: int, boxes: list[tuple[float, ...]], grid: Grid = GLOBE) -> Storms:
    """Of rows ymin, xmin, ymax, xmax, class, score."""
    table = np.array(boxes, np.float64).reshape(-1, 6)
    corners, classes, scores = table[:, :4], table[:, 4].astype(np.int64), table[:, 5]
    return storms(frame, time, grid, corners, classes, scores)


@pytest.fixture(scope="session")
def make() -> Callable[..., Storms]:
    """Make the storms of a frame."""
    return _storms


@pytest.fixture(scope="session")
def frames() -> list[Storms]:
    """Three time steps of 1979 in a calendar without leap days: the second one calm.

    A cyclone crosses the Greenwich meridian, a river the antimeridian.
    """
    hour = 3600  # seconds
    start = 79 * 365 * 24 * hour
    return [
        _storms(0, start, [(400, 1130, 440, 1180, 1, 0.95), (500, 500, 560, 700, 3, 0.9)]),
        _storms(1, start + 3 * hour, []),
        _storms(2, start + 59 * 24 * hour, [(200, 100, 240, 140, 2, 0.85)]),
    ]
