"""Boxes in files beside the frames.

Lists as CSV (`box_csv`) or GeoJSON (`box_geojson`), tracks of storms (`baryon_climate.tracks`), and
masks (`box_masks`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError, format_error
from baryon.terminal.console import say, warn
from baryon_climate.dataset import box_order
from baryon_climate.dataset.box_csv import is_list, read_csv
from baryon_climate.dataset.box_geojson import read_geojson
from baryon_climate.dataset.box_masks import is_mask, read_masks
from baryon_climate.dataset.listed_box import ListedBox
from baryon_climate.grid import Grid
from baryon_climate.tracks.box_rules import BoxRules, boxes_of
from baryon_climate.tracks.reading import FORMATS, is_track_file, read_fixes

KEEP = 0.5
"""Share of a box's area that must lie in a region."""
MOST_BYTES = 2**30
"""Of a split's boxes in memory, which have as many rows for each frame as the fullest one."""


def listed_boxes(
    path: Path,
    times: npt.NDArray[np.int64],
    calendar: str,
    grid: Grid,
    order: str,
    first_class: int,
    keep: float = KEEP,
    rules: BoxRules | None = None,
) -> npt.NDArray[np.float64]:
    """Read boxes (frames, most, 5) at their frames: ymin, xmin, ymax, xmax, class; unused rows -1.

    `times` are seconds since 1900-01-01 in the calendar. `rules` say how storms of a track file
    become boxes; without them it is refused. A box over the edge of a region is clipped
    to it if at least `keep` of its area is inside, else left out. Raises `BaryonError` naming the
    line of what cannot be read, and if no box is at any frame's time.
    """
    listed, in_pixels = _read(path, first_class, rules)
    if not listed:
        warn(f"{path} lists no boxes")
    elif in_pixels:
        listed = _reordered(path, listed, order, grid)
    row_of = {int(time): row for row, time in enumerate(times)}
    rows = [row_of.get(_seconds(path, entry, calendar)) for entry in listed]
    _report_elsewhere(path, len(rows), rows.count(None))
    placed = [(row, entry) for row, entry in zip(rows, listed, strict=True) if row is not None]
    boxes = [
        (row, entry.sides if in_pixels else pixels(entry.sides, grid, keep), entry)
        for row, entry in placed
    ]
    inside = [(row, sides, entry) for row, sides, entry in boxes if sides is not None]
    if len(inside) < len(boxes):
        say(
            f"{path}: {len(boxes) - len(inside):,} of {len(boxes):,} boxes at the times of frames "
            f"have less than {keep:.0%} of their area in the frames' region: left out"
        )
    return _table(path, len(times), [(row, (*sides, entry.kind)) for row, sides, entry in inside])


def _table(
    path: Path, frames: int, boxes: Sequence[tuple[int, tuple[float, ...]]]
) -> npt.NDArray[np.float64]:
    """Return as many rows for each frame as the fullest one has boxes, at least one."""
    count = np.bincount([row for row, _ in boxes], minlength=frames)
    most = max(1, int(count.max(initial=0)))
    if frames * most * 5 * 8 > MOST_BYTES:
        raise BaryonError(
            f"{path}: {most:,} boxes are at the time of one frame, and as many rows for each of "
            f"{frames:,} frames take more than {MOST_BYTES // 2**20:,} MiB: is it a list of boxes, "
            "a line each?"
        )
    table = np.full((frames, most, 5), -1.0)
    filled = np.zeros(frames, int)
    for row, box in boxes:
        table[row, filled[row]] = box
        filled[row] += 1
    return table


def _report_elsewhere(path: Path, count: int, elsewhere: int) -> None:
    if count and elsewhere == count:
        raise BaryonError(
            f"{path}: none of its {count:,} boxes is at the time of a frame: is it the list of "
            "these files, in their calendar?"
        )
    if elsewhere:
        say(f"{path}: {elsewhere:,} of {count:,} boxes are at times of which there is no frame")


def _read(path: Path, first_class: int, rules: BoxRules | None) -> tuple[list[ListedBox], bool]:
    """Return the boxes, and whether they are in pixels."""
    if not path.exists():
        raise BaryonError(f"dataset.boxes={path} does not exist")
    try:
        if is_mask(path):
            return read_masks(path), False
        if path.suffix.lower() in (".geojson", ".json"):
            return read_geojson(path, first_class), False
        if rules is not None and not is_list(path) and is_track_file(path):
            return boxes_of(path, read_fixes(path, rules.agency), rules), False
        if path.suffix.lower() == ".csv":
            return read_csv(path, first_class)
    except OSError as error:
        raise BaryonError(f"dataset.boxes={path} cannot be read ({format_error(error)})") from error
    raise BaryonError(
        f"dataset.boxes={path} must be .csv or .geojson with boxes, .nc with masks, or tracks: "
        f"{FORMATS}"
    )


def _reordered(path: Path, listed: Sequence[ListedBox], order: str, grid: Grid) -> list[ListedBox]:
    """Put the columns of ExtremeWeather's list in order; the boxes tell which axis it calls x."""
    columns = np.array([(*entry.sides, entry.kind) for entry in listed], np.float64)
    if order == box_order.AUTO:
        pairs = "ymin_ymax_xmin_xmax", "xmin_xmax_ymin_ymax"
        order, why = box_order.tell(columns, grid.height, grid.width, str(path), pairs)
        say(f"{path}: xmin, xmax, ymin, ymax are {order} ({why})")
    boxes = box_order.in_order(columns, order)
    return [
        replace(entry, sides=tuple(box[:4].tolist()))
        for entry, box in zip(listed, boxes, strict=True)
    ]


def pixels(
    sides: tuple[float, float, float, float], grid: Grid, keep: float = KEEP
) -> tuple[float, float, float, float] | None:
    """Return ymin, xmin, ymax, xmax of south, west, north, east; None if too little is on the grid.

    Rows and columns reach half a pixel beyond the centres of the outermost ones; what is there is
    moved to 0, where frames begin. A box of no or negative size stays so.
    """
    south, west, north, east = sides
    ymin, ymax = (float(grid.rows(side)) for side in (south, north))
    # Rows of such a grid run southward: the northern side has the smaller row.
    if grid.latitude_step < 0:
        ymin, ymax = ymax, ymin
    wide = (east - west if east - west >= 0 else (east - west) % 360) / abs(grid.longitude_step)
    left = float(grid.columns(west if grid.longitude_step > 0 else east))
    if ymin >= ymax or wide == 0:
        return ymin, left, ymax, left + wide  # no box: whoever checks labels says so
    if not grid.cyclic:
        # A region may begin inside the box: counted from the other side the box then begins before
        # column 0.
        turned = left - 360 / abs(grid.longitude_step)
        left = max((left, turned), key=lambda start: _inside(start, start + wide, grid.width))
    share = _inside(ymin, ymax, grid.height) / (ymax - ymin)
    low, high = max(ymin, 0.0), min(ymax, float(grid.height))
    start, stop = left, left + wide
    if not grid.cyclic:
        share *= _inside(left, left + wide, grid.width) / wide
        start, stop = max(start, 0.0), min(stop, float(grid.width))
    return (low, start, high, stop) if share >= keep and low < high and start < stop else None


def _inside(low: float, high: float, size: int) -> float:
    """Return how much of low..high lies in a frame of so many pixels and its outer half pixels."""
    return max(0.0, min(high, float(size)) - max(low, -0.5))


def _seconds(path: Path, entry: ListedBox, calendar: str) -> int:
    """Return the time of a box in seconds since 1900-01-01 in the calendar."""
    from baryon_climate.dates import seconds

    try:
        return seconds(entry.moment, calendar)
    except ValueError as error:
        raise BaryonError(f"{path}: {entry.place}: {error}") from error
