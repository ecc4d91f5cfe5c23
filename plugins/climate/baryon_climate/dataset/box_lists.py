"""Boxes in lists beside the frames: CSV in two layouts, and GeoJSON.

`time,class,lat_min,lon_min,lat_max,lon_max`: degrees; `lon_max` may be less than `lon_min`, then
the box crosses the circle's end. `class` is a number or TD, TC, ETC, AR; `time` is ISO 8601.

`year,month,day,time_step,xmin,xmax,ymin,ymax,category`: ExtremeWeather's (reported: the label
loader of `eracah/hur-detect`), pixels, steps of three hours in the day.

GeoJSON: features with the properties `time` and `class`; a box is the bounds of its geometry, which
RFC 7946 splits at the antimeridian.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError
from baryon.reporting.console import say
from baryon_climate.classes import SHORT
from baryon_climate.dataset import box_order
from baryon_climate.dataset.labels import MOST_BOXES
from baryon_climate.grid import Grid

DEGREES = ("time", "class", "lat_min", "lon_min", "lat_max", "lon_max")
EXTREME_WEATHER = (
    "year", "month", "day", "time_step", "xmin", "xmax", "ymin", "ymax", "category"
)  # fmt: skip
STEP_HOURS = 3
MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d)(?::(\d\d))?(?::\d\d(?:\.\d*)?)?Z?)?")


@dataclass(frozen=True, slots=True)
class Listed:
    """One box of a list."""

    line: int
    moment: tuple[int, int, int, float]
    """Year, month, day, hour."""
    kind: int
    box: tuple[float, float, float, float]
    """ymin, xmin, ymax, xmax in pixels, or the four columns of ExtremeWeather as they come."""


def listed_boxes(
    path: Path,
    times: npt.NDArray[np.int64],
    calendar: str,
    grid: Grid,
    order: str,
    first_class: int,
) -> npt.NDArray[np.float32]:
    """(frames, 15, 5) boxes at their frames: ymin, xmin, ymax, xmax, class; unused rows -1.

    Raises `BaryonError` naming the line of what cannot be read, and if no box is at any frame's
    time.
    """
    found = list(_read(path, grid, first_class))
    if found and path.suffix.lower() == ".csv" and _is_pixels(path):
        found = _reordered(path, found, order, grid)
    boxes = np.full((len(times), MOST_BOXES, 5), -1, np.float32)
    count = np.zeros(len(times), int)
    row_of = {int(time): row for row, time in enumerate(times)}
    elsewhere = 0
    for one in found:
        row = row_of.get(_seconds(path, one, calendar))
        if row is None:
            elsewhere += 1
            continue
        if count[row] == MOST_BOXES:
            raise BaryonError(
                f"{path}: line {one.line} is box {MOST_BOXES + 1} of its time step; a frame has "
                f"{MOST_BOXES} at most"
            )
        boxes[row, count[row]] = (*one.box, one.kind)
        count[row] += 1
    _tell(path, len(found), elsewhere)
    return boxes


def _tell(path: Path, count: int, elsewhere: int) -> None:
    if count and elsewhere == count:
        raise BaryonError(
            f"{path}: none of its {count:,} boxes is at the time of a frame: is it the list of "
            "these files, in their calendar?"
        )
    if elsewhere:
        say(f"{path}: {elsewhere:,} of {count:,} boxes are at times of which there is no frame")


def _read(path: Path, grid: Grid, first_class: int) -> Iterator[Listed]:
    if not path.is_file():
        raise BaryonError(f"dataset.boxes={path} does not exist")
    if path.suffix.lower() in (".geojson", ".json"):
        yield from _geojson(path, grid, first_class)
    elif path.suffix.lower() == ".csv":
        yield from _csv(path, grid, first_class)
    else:
        raise BaryonError(f"dataset.boxes={path} must be .csv or .geojson")


def _header(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return [name.strip() for name in next(csv.reader(file), [])]


def _is_pixels(path: Path) -> bool:
    return set(EXTREME_WEATHER) <= set(_header(path))


def _csv(path: Path, grid: Grid, first_class: int) -> Iterator[Listed]:
    header = _header(path)
    layout = next((one for one in (DEGREES, EXTREME_WEATHER) if set(one) <= set(header)), None)
    if layout is None:
        raise BaryonError(
            f"{path} has the columns {', '.join(header)}; it needs {', '.join(DEGREES)}, or "
            f"{', '.join(EXTREME_WEATHER)}"
        )
    with path.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file, header), start=1):
            if number == 1:
                continue
            try:
                if layout is DEGREES:
                    yield _in_degrees(number, row, grid, first_class)
                else:
                    yield _in_pixels(number, row, first_class)
            except (ValueError, TypeError) as error:
                raise BaryonError(f"{path}: line {number} cannot be read ({error})") from error


def _in_degrees(line: int, row: Mapping[str, str], grid: Grid, first_class: int) -> Listed:
    south, west, north, east = (float(row[name]) for name in DEGREES[2:])
    return Listed(
        line,
        _moment(row["time"]),
        _kind(row["class"], first_class),
        _pixels(grid, south, west, north, east),
    )


def _in_pixels(line: int, row: Mapping[str, str], first_class: int) -> Listed:
    year, month, day, step = (int(float(row[name])) for name in EXTREME_WEATHER[:4])
    a, b, c, d = (float(row[name]) for name in EXTREME_WEATHER[4:8])
    moment = (year, month, day, float(step * STEP_HOURS))
    return Listed(line, moment, _kind(row["category"], first_class), (a, b, c, d))


def _reordered(path: Path, found: Sequence[Listed], order: str, grid: Grid) -> list[Listed]:
    """ExtremeWeather's list calls one axis x; which one it is follows from the boxes."""
    columns = np.array([(*one.box, one.kind) for one in found])
    if order == box_order.AUTO:
        pairs = "ymin_ymax_xmin_xmax", "xmin_xmax_ymin_ymax"
        order, why = box_order.tell(columns, grid.height, grid.width, str(path), pairs)
        say(f"{path}: xmin, xmax, ymin, ymax are {order} ({why})")
    boxes = box_order.in_order(columns, order)
    return [
        Listed(one.line, one.moment, one.kind, tuple(box[:4].tolist()))
        for one, box in zip(found, boxes, strict=True)
    ]


def _geojson(path: Path, grid: Grid, first_class: int) -> Iterator[Listed]:
    try:
        features = json.loads(path.read_text(encoding="utf-8"))["features"]
    except (ValueError, KeyError, TypeError) as error:
        raise BaryonError(f"{path} is no GeoJSON collection of features ({error})") from error
    for number, feature in enumerate(features):
        try:
            its = feature["properties"]
            bounds = _bounds(feature["geometry"])
            kind = _kind(str(its["class"]), first_class)
            yield Listed(number, _moment(its["time"]), kind, _pixels(grid, *bounds))
        except (KeyError, TypeError, ValueError) as error:
            raise BaryonError(
                f"{path}: feature {number} cannot be read ({error!r}); it needs the properties "
                "time and class, and a Polygon or MultiPolygon"
            ) from error


def _bounds(geometry: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """South, west, north, east; east beyond 180 where the parts meet at the antimeridian."""
    shapes = geometry["coordinates"]
    if geometry["type"] == "Polygon":
        shapes = [shapes]
    elif geometry["type"] != "MultiPolygon":
        raise ValueError(f"a {geometry['type']} has no bounds")
    rings = [np.asarray(shape[0], float) for shape in shapes]
    west = min(float(ring[:, 0].min()) for ring in rings)
    east = max(float(ring[:, 0].max()) for ring in rings)
    if len(rings) > 1 and west == -180 and east == 180:
        west = min(float(ring[:, 0].min()) for ring in rings if ring[:, 0].max() == 180)
        east = 360 + max(float(ring[:, 0].max()) for ring in rings if ring[:, 0].min() == -180)
    south = min(float(ring[:, 1].min()) for ring in rings)
    return south, west, max(float(ring[:, 1].max()) for ring in rings), east


def _pixels(
    grid: Grid, south: float, west: float, north: float, east: float
) -> tuple[float, float, float, float]:
    left = float(grid.columns(west))
    wide = (east - west) % 360 / abs(grid.longitude_step)
    ymin, ymax = float(grid.rows(south)), float(grid.rows(north))
    return ymin, left, ymax, left + wide


def _kind(text: str, first_class: int) -> int:
    """Its number from 0; one that is not known stays what it is."""
    text = text.strip()
    return SHORT.index(text) if text in SHORT else int(float(text)) - first_class


def _moment(text: str) -> tuple[int, int, int, float]:
    match = MOMENT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no time such as 1979-01-31T06:00")
    year, month, day, hour, minute = (int(part or 0) for part in match.groups())
    return year, month, day, hour + minute / 60


def _seconds(path: Path, one: Listed, calendar: str) -> int:
    import cftime

    from baryon_climate.dataset.calendar import HOUR, TIME_UNITS

    year, month, day, hour = one.moment
    try:
        midnight = cftime.datetime(year, month, day, calendar=calendar)
    except ValueError as error:
        raise BaryonError(
            f"{path}: line {one.line}: the calendar {calendar!r} has no {year}-{month:02}-{day:02}"
        ) from error
    return round(float(cftime.date2num(midnight, TIME_UNITS, calendar)) + hour * HOUR)
