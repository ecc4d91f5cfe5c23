"""Tracks as a CSV with a line for each fix: TempestExtremes's nodefiles, our own `tracks.csv`.

Needed are `track_id`, `lat`, `lon`, and `time` (ISO 8601) or `year`, `month`, `day` and `hour`.
Wind and pressure are taken from the first column of the names below that there is, in its unit;
`class`, one of ours, and `status`, a code of IBTrACS or ATCF, may stand beside them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from baryon_climate.classes import SHORT
from baryon_climate.dataset.listed_box import Moment, moment, number, whole
from baryon_climate.tracks.fix import KNOT, Fix, Nature, hectopascals, position, quantity
from baryon_climate.tracks.table import Line, Table, parse_each

COLUMNS = ("track_id", "lat", "lon")
DATE = ("year", "month", "day", "hour")
WINDS = {
    "wind_ms": 1.0,
    "wind10": 1.0,
    "wind10m": 1.0,
    "wind_kt": KNOT,
    "wind": KNOT,
    "vmax": KNOT,
}
"""m/s of the unit of each column: what is called `wind` in best tracks is in knots."""
PRESSURES = ("pressure_hpa", "slp", "mslp", "psl", "pressure", "pres")
"""In hPa, or above 2000 in Pa."""
NATURES = {
    **dict.fromkeys(("TD", "TS", "TC", "HU", "HR", "TY", "ST"), Nature.TROPICAL),
    **dict.fromkeys(("SD", "SS"), Nature.SUBTROPICAL),
    **dict.fromkeys(("EX", "ET", "PT"), Nature.EXTRATROPICAL),
    **dict.fromkeys(("LO", "DB", "WV", "DS", "MD", "IN"), Nature.DISTURBANCE),
}
"""Of the column `status`. ET and IN are codes of ATCF that are rare among best tracks."""
HOUR = 3600
"""Seconds."""


def looks_like(header: Sequence[str]) -> bool:
    """Tell the layout by its header."""
    return set(COLUMNS) <= set(header) and ("time" in header or set(DATE) <= set(header))


def read(table: Table) -> Iterator[Fix | Line]:
    """Yield the fixes of a table; a line without position as it is.

    Raises `ValueError` naming the line that cannot be read.
    """
    wind = next((name for name in WINDS if name in table.header), None)
    pressure = next((name for name in PRESSURES if name in table.header), None)
    yield from parse_each(table, partial(_fix, wind=wind, pressure=pressure))


def _fix(line: Line, wind: str | None, pressure: str | None) -> Fix | Line:
    place = position(line.row["lat"], line.row["lon"])
    if place is None:
        return line
    return Fix(
        place=line.place,
        storm=_identifier(line.row["track_id"]),
        moment=_moment(line.row),
        latitude=place[0],
        longitude=place[1],
        wind=quantity(wind, line.row[wind]) * WINDS[wind] if wind else math.nan,
        pressure=hectopascals(quantity(pressure, line.row[pressure])) if pressure else math.nan,
        nature=NATURES.get(line.row.get("status", "").strip(), Nature.UNKNOWN),
        kind=_kind(line.row.get("class", "")),
    )


def _identifier(text: str) -> str:
    """Return a track's name; pandas makes 1207.0 of the number 1207."""
    text = text.strip()
    if not text:
        raise ValueError("it has no track_id")
    return text.removesuffix(".0") if text.removesuffix(".0").isdigit() else text


def _moment(row: Mapping[str, str]) -> Moment:
    if row.get("time", "").strip():
        return moment(row["time"])
    year, month, day = (whole(name, row[name]) for name in DATE[:3])
    return Moment(year, month, day, round(number("hour", row["hour"]) * HOUR))


def _kind(text: str) -> int | None:
    text = text.strip()
    return SHORT.index(text) if text in SHORT else None
