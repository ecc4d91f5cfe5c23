"""Boxes around the regions of masks, as ClimateNet's experts drew them (Prabhat et al., 2021).

A NetCDF file has the variable `LABELS` of latitude and longitude, with or without time: 0 is the
background, 1 a tropical cyclone, 2 an atmospheric river (reported). Pixels of a class that touch,
by a side or a corner, are one event, also across the seam of a global grid.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError
from baryon_climate.classes import AR, TC
from baryon_climate.dataset.cf_file import CfFile
from baryon_climate.dataset.listed_box import ListedBox, Moment
from baryon_climate.grid import Grid

VARIABLE = "LABELS"
CLASSES = {1: TC, 2: AR}
BACKGROUND = 0
PLANE = 2
"""Dimensions of a mask."""
TOUCHING = np.ones((3, 3), int)
HOUR, MINUTE = 3600, 60
"""Seconds."""


def is_mask(path: Path) -> bool:
    """Tell whether boxes are to be read from masks: a NetCDF file, or a folder of them."""
    return path.suffix.lower() in (".nc", ".nc4") or path.is_dir()


def read_masks(path: Path) -> list[ListedBox]:
    """Return the boxes of a NetCDF file, or of all in a folder.

    Raises `BaryonError` for a file without masks, or with other values than those of `CLASSES`.
    """
    files = sorted(path.glob("*.nc")) if path.is_dir() else [path]
    if not files:
        raise BaryonError(f"dataset.boxes={path} is a folder without a file *.nc")
    return [box for file in files for box in _boxes(file)]


def _boxes(path: Path) -> Iterator[ListedBox]:
    from baryon_climate.dates import date

    file = CfFile(path)
    try:
        if VARIABLE not in file.dataset:
            names = ", ".join(file.variables()) or "none"
            raise BaryonError(f"{path} has no variable {VARIABLE} with masks; it has {names}")
        times, grid = file.times(VARIABLE), file.grid(VARIABLE)
        masks = grid.arrange(np.asarray(file.dataset[VARIABLE].values))
        masks = masks[None] if masks.ndim == PLANE else masks
        for seconds, mask in zip(times.seconds, masks, strict=True):
            when = date(int(seconds), times.calendar)
            moment = Moment(
                when.year,
                when.month,
                when.day,
                when.hour * HOUR + when.minute * MINUTE + when.second,
            )
            _require_classes(path, mask)
            for value, kind in CLASSES.items():
                for sides in regions(mask == value, grid.grid):
                    yield ListedBox(f"{VARIABLE} of {when}", moment, kind, sides)
    finally:
        file.close()


def _require_classes(path: Path, mask: npt.NDArray[Any]) -> None:
    others = set(np.unique(mask).tolist()) - {BACKGROUND, *CLASSES}
    if others:
        raise BaryonError(
            f"{path}: {VARIABLE} holds {', '.join(map(str, sorted(others)))}; it may hold 0 "
            "(background), 1 (tropical cyclone) and 2 (atmospheric river)"
        )


def regions(mask: npt.NDArray[np.bool_], grid: Grid) -> Iterator[tuple[float, float, float, float]]:
    """Yield south, west, north, east, in degrees, of each connected region of a mask (H, W).

    Sides are the outer edges of the outermost pixels; east is above west.
    """
    from scipy import ndimage

    labels, count = ndimage.label(mask, structure=TOUCHING)
    if grid.cyclic:
        _join_at_the_seam(labels)
    for number in range(1, count + 1):
        rows, columns = np.nonzero(labels == number)
        if not len(rows):
            continue  # it was joined to another
        low, high = grid.latitudes(np.array([rows.min() - 0.5, rows.max() + 0.5]))
        first, wide = _span(np.unique(columns), grid)
        west = float(grid.longitudes(first - 0.5))
        south, north = (float(np.clip(side, -90.0, 90.0)) for side in sorted((low, high)))
        yield south, west, north, west + wide * abs(grid.longitude_step)


def _join_at_the_seam(labels: npt.NDArray[Any]) -> None:
    """Give regions that touch across the last and the first column one number, in place."""
    height = len(labels)
    for row in range(height):
        for other in range(max(0, row - 1), min(height, row + 2)):
            left, right = labels[row, 0], labels[other, -1]
            if left and right and left != right:
                labels[labels == right] = left


def _span(columns: npt.NDArray[np.int64], grid: Grid) -> tuple[int, int]:
    """Return the first column of a region, going east, and how many it spans."""
    if not grid.cyclic:
        return int(columns[0]), int(columns[-1] - columns[0] + 1)
    # on a circle a region begins after the widest stretch without it
    empty = np.diff(columns, append=columns[0] + grid.width)
    widest = int(np.argmax(empty))
    return int(columns[(widest + 1) % len(columns)]), int(grid.width - empty[widest] + 1)
