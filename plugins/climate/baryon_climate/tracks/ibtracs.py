"""IBTrACS: the CSV lists of version 4 (NOAA, "IBTrACS v04 column documentation").

A line of units follows the header. Winds are in knots, pressures in hPa, radii in nautical miles.
`LAT` and `LON` are IBTrACS's own positions; wind, pressure and radii are those of one agency.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

from baryon_climate.dataset.listed_box import moment
from baryon_climate.tracks.fix import (
    KNOT,
    Fix,
    Nature,
    hectopascals,
    mean_radius,
    position,
    quantity,
)
from baryon_climate.tracks.table import Line, Table, parse_each

COLUMNS = ("SID", "ISO_TIME", "LAT", "LON")
NATURES = {
    "TS": Nature.TROPICAL,
    "SS": Nature.SUBTROPICAL,
    "ET": Nature.EXTRATROPICAL,
    "DS": Nature.DISTURBANCE,
    "NR": Nature.UNKNOWN,
    "MX": Nature.UNKNOWN,
}
"""Of the column `NATURE`: MX where agencies disagree, NR where none says one."""
SPUR = "spur"
"""Alternative pieces of a track that another line has already, in `TRACK_TYPE`."""
QUADRANTS = ("NE", "SE", "SW", "NW")


def read(table: Table, agency: str) -> Iterator[Fix | Line]:
    """Yield the fixes of a list with winds of one agency; a line without position as it is.

    Raises `ValueError` if the list has no winds of the agency, and for a line that cannot be read.
    """
    wind = f"{agency.upper()}_WIND"
    if wind not in table.header:
        choices = ", ".join(agencies(table.header)) or "none"
        raise ValueError(f"it has no column {wind}; agencies with winds there: {choices}")
    fixes = parse_each(table, partial(_fix, agency=agency.upper()))
    yield from (fix for fix in fixes if fix is not None)


def agencies(header: Sequence[str]) -> list[str]:
    """Return the agencies of which a header has winds."""
    return [name.removesuffix("_WIND").lower() for name in header if name.endswith("_WIND")]


def _fix(line: Line, agency: str) -> Fix | Line | None:
    """Return what a line says; None for the line of units and for spurs."""
    row = line.row
    # the units stand below the header: `Year`, `degrees_north`, ..., and no storm or no date
    if not row["SID"].strip() or row["LAT"].strip().startswith("deg"):
        return None
    if SPUR in row.get("TRACK_TYPE", ""):
        return None
    place = position(row["LAT"], row["LON"])
    if place is None:
        return line
    radii = [row.get(f"{agency}_R34_{quadrant}", "") for quadrant in QUADRANTS]
    knots = quantity(f"{agency}_WIND", row[f"{agency}_WIND"])
    return Fix(
        place=line.place,
        storm=row["SID"].strip(),
        moment=moment(row["ISO_TIME"]),
        latitude=place[0],
        longitude=place[1],
        # 0 is written where an agency has no wind
        wind=knots * KNOT if knots > 0 else math.nan,
        pressure=hectopascals(quantity("pressure", row.get(f"{agency}_PRES", ""))),
        nature=NATURES.get(row.get("NATURE", "").strip(), Nature.UNKNOWN),
        gale_radius=mean_radius([quantity("radius", radius) for radius in radii]),
    )
