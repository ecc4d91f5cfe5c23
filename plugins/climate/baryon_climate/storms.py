"""The boxes of one frame in degrees, and their places in the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from baryon_climate.grid import Grid

Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FileOrder:
    """Where rows and columns of frames, which begin in the south-west, are in their file."""

    rows: Counts
    """(height,) the file's row of each row of a frame."""
    columns: Counts

    @staticmethod
    def same(height: int, width: int) -> FileOrder:
        """Return the order of files that are stored as frames are."""
        return FileOrder(np.arange(height), np.arange(width))


class About(Protocol):
    """What the writers of predictions know of all frames."""

    calendar: str
    """CF's name of it."""
    synthetic: bool
    """No climate model made them."""


@dataclass(frozen=True, slots=True)
class Storms:
    """Boxes of a frame, best first; every array is (n,)."""

    frame: int
    """Its row in the input, from 0."""
    time: int
    """Seconds since 1900-01-01 in the input's calendar."""
    column: Counts
    """Column of the centre in the input file's own grid, from 0, as TempestExtremes counts."""
    row: Counts
    """Row of the centre there: from the north in a file that begins in the north."""
    longitude: Numbers
    """Of the centre, degrees east from 0 to below 360."""
    latitude: Numbers
    west: Numbers
    """Degrees east from 0 to below 360."""
    east: Numbers
    """Degrees east, above `west`: beyond 360 where a box crosses the Greenwich meridian."""
    south: Numbers
    north: Numbers
    area: Numbers
    """km2 on the sphere."""
    classes: Counts
    scores: Numbers

    def __len__(self) -> int:
        return len(self.classes)

    def of_classes(self, numbers: Sequence[int]) -> Storms:
        """Return the boxes of some classes."""
        chosen = np.isin(self.classes, numbers)
        arrays = {
            entry.name: getattr(self, entry.name)[chosen]
            for entry in fields(self)
            if entry.name not in ("frame", "time")
        }
        return replace(self, **arrays)


def storms(
    frame: int,
    time: int,
    grid: Grid,
    boxes: Numbers,
    classes: Counts,
    scores: Numbers,
    order: FileOrder | None = None,
) -> Storms:
    """Convert boxes (n, 4) from pixels of a grid to degrees; leave out those of no area.

    Columns are ymin, xmin, ymax, xmax. Without `order` the file is taken to be stored as the frame
    is.
    """
    order = order or FileOrder.same(grid.height, grid.width)
    sides = np.sort(np.clip(grid.latitudes(boxes[:, [0, 2]]), -90.0, 90.0), axis=1)
    has_area = (sides[:, 0] < sides[:, 1]) & (boxes[:, 1] < boxes[:, 3])
    boxes, sides = boxes[has_area], sides[has_area]
    centre = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    # on a grid that runs westward a box's western side is its last column
    first = boxes[:, 1] if grid.longitude_step > 0 else boxes[:, 3]
    west = grid.longitudes(first)
    width = np.minimum((boxes[:, 3] - boxes[:, 1]) * abs(grid.longitude_step), 360.0)
    return Storms(
        frame=frame,
        time=time,
        column=order.columns[_nearest(centre[1], grid.width, cyclic=grid.cyclic)],
        row=order.rows[_nearest(centre[0], grid.height, cyclic=False)],
        longitude=grid.longitudes(centre[1]),
        latitude=np.clip(grid.latitudes(centre[0]), -90.0, 90.0),
        west=west,
        east=west + width,
        south=sides[:, 0],
        north=sides[:, 1],
        area=grid.areas(boxes),
        classes=classes[has_area],
        scores=scores[has_area],
    )


def _nearest(pixels: Numbers, size: int, *, cyclic: bool) -> Counts:
    whole = np.rint(pixels).astype(np.int64)
    return whole % size if cyclic else np.clip(whole, 0, size - 1)
