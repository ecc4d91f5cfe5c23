"""Boxes in a CSV file of one of three layouts, told apart by the header.

* In degrees: `time,class,lat_min,lon_min,lat_max,lon_max`.
* What `baryon predict` writes as `boxes.csv`; of its columns those of `PREDICTED` are read.
* ExtremeWeather's list (reported: the label loader of `eracah/hur-detect`), in pixels:
  `year,month,day,time_step,xmin,xmax,ymin,ymax,category`, steps of three hours in the day.

Other columns may stand beside them. The file is UTF-8, with a byte order mark or without.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from baryon.errors import BaryonError
from baryon_climate.dataset.calendar import HOUR
from baryon_climate.dataset.listed_box import (
    ListedBox,
    Moment,
    event_class,
    moment,
    number,
    require_degrees,
    whole,
)

DEGREES = ("time", "class", "lat_min", "lon_min", "lat_max", "lon_max")
PREDICTED = ("time", "class", "lat_south", "lon_west", "lat_north", "lon_east")
EXTREME_WEATHER = (
    "year", "month", "day", "time_step", "xmin", "xmax", "ymin", "ymax", "category"
)  # fmt: skip
LAYOUTS = (DEGREES, PREDICTED, EXTREME_WEATHER)
STEP_HOURS = 3


def read_csv(path: Path, first_class: int) -> tuple[list[ListedBox], bool]:
    """Return the boxes of a file, and whether they are in pixels.

    Raises `BaryonError` naming the line that cannot be read.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file, strict=True)
            header = [name.strip() for name in next(lines, [])]
            layout = _layout(path, header)
            boxes = list(_boxes(path, lines, header, layout, first_class))
    except UnicodeDecodeError as error:
        raise BaryonError(
            f"{path} is not text in UTF-8 ({error.reason}): save it as such"
        ) from error
    except csv.Error as error:
        raise BaryonError(f"{path}: line {lines.line_num} is no line of a CSV ({error})") from error
    return boxes, layout is EXTREME_WEATHER


def is_list(path: Path) -> bool:
    """Tell by the header whether a file is a list of boxes, and no other table."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        header = {name.strip() for name in file.readline(10_000).split(",")}
    return any(set(columns) <= header for columns in LAYOUTS)


def _layout(path: Path, header: Sequence[str]) -> Sequence[str]:
    layout = next((columns for columns in LAYOUTS if set(columns) <= set(header)), None)
    if layout is None:
        named = ", ".join(header)
        named = ascii(named)[1:-1] if len(named) <= 200 else f"{ascii(named[:200])[1:-1]}..."
        raise BaryonError(
            f"{path} has the columns {named}; it needs {', '.join(DEGREES)}, or "
            f"{', '.join(PREDICTED)}, or {', '.join(EXTREME_WEATHER)}"
        )
    twice = [name for name in layout if header.count(name) > 1]
    if twice:
        raise BaryonError(f"{path} has the column {twice[0]} twice: leave one of them out")
    return layout


def _boxes(
    path: Path,
    lines: Iterator[list[str]],
    header: Sequence[str],
    layout: Sequence[str],
    first_class: int,
) -> Iterator[ListedBox]:
    read = _in_pixels if layout is EXTREME_WEATHER else _in_degrees
    for fields in lines:
        if not any(field.strip() for field in fields):
            continue  # spreadsheets leave empty lines at the end
        place = f"line {lines.line_num}"  # type: ignore[attr-defined]  # of csv.reader
        try:
            if len(fields) < len(header) or any(field.strip() for field in fields[len(header) :]):
                raise ValueError(f"it has {len(fields)} fields, the header {len(header)}")
            row = dict(zip(header, fields, strict=False))
            yield read(place, row, layout, first_class)
        except ValueError as error:
            raise BaryonError(f"{path}: {place} cannot be read ({error})") from error


def _in_degrees(
    place: str, row: Mapping[str, str], layout: Sequence[str], first_class: int
) -> ListedBox:
    south, west, north, east = (number(name, row[name]) for name in layout[2:])
    require_degrees(south, west, north, east)
    kind = event_class(row["class"], first_class)
    return ListedBox(place, moment(row["time"]), kind, (south, west, north, east))


def _in_pixels(
    place: str, row: Mapping[str, str], layout: Sequence[str], first_class: int
) -> ListedBox:
    year, month, day, step = (whole(name, row[name]) for name in layout[:4])
    if not 0 <= step * STEP_HOURS < 24:
        raise ValueError(f"time_step={step} is none of a day's steps of {STEP_HOURS} hours")
    a, b, c, d = (number(name, row[name]) for name in layout[4:8])
    kind = event_class(row["category"], first_class)
    return ListedBox(place, Moment(year, month, day, step * STEP_HOURS * HOUR), kind, (a, b, c, d))
