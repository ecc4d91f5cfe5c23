"""The nodefile that TempestExtremes's `StitchNodes` writes by default (as read in its source).

`start <nodes> <year> <month> <day> <hour>` opens a track; each node is a line of column, row,
longitude, latitude, the output variables and year, month, day, hour. The file does not say what the
variables are: a pressure in Pa is told by its size, a wind is not, so the nodes have none, and are
taken to be of tropical cyclones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from baryon_climate.classes import TC
from baryon_climate.dataset.listed_box import Moment, number, whole
from baryon_climate.tracks.fix import Fix, hectopascals, position, quantity

START = "start"
TIME = 4
"""Fields at the end of a node: year, month, day, hour."""
LEAST_FIELDS = 2 + 2 + TIME
LEAST_PA, MOST_PA = 8.5e4, 1.1e5
HOUR = 3600
"""Seconds."""


def looks_like(text: str) -> bool:
    """Tell the format by its first line."""
    return text.split()[:1] == [START]


def read(lines: Sequence[str]) -> Iterator[Fix]:
    """Yield the fixes of a file. Raises `ValueError` naming the line that cannot be read."""
    storm, left = -1, 0
    for count, text in enumerate(lines, 1):
        fields = text.split()
        if not fields:
            continue
        place = f"line {count}"
        try:
            if fields[0] == START:
                if left:
                    raise ValueError(f"track {storm} has {left} nodes less than its start says")
                storm, left = storm + 1, whole("nodes", fields[1] if len(fields) > 1 else "")
                continue
            if not left:
                raise ValueError("a track should begin there: start, and its number of nodes")
            yield _fix(place, str(storm), fields)
            left -= 1
        except ValueError as error:
            raise ValueError(f"{place} cannot be read ({error})") from error
    if left:
        raise ValueError(f"it ends {left} nodes before track {storm} does")


def _fix(place: str, storm: str, fields: Sequence[str]) -> Fix:
    if len(fields) < LEAST_FIELDS:
        raise ValueError(f"it has {len(fields)} fields, a node {LEAST_FIELDS} or more")
    where = position(fields[3], fields[2])
    if where is None:
        raise ValueError("it has no position")
    year, month, day = (whole("date", text) for text in fields[-TIME:-1])
    hour = number("hour", fields[-1])
    variables = [quantity("variable", text) for text in fields[4:-TIME]]
    return Fix(
        place=place,
        storm=storm,
        moment=Moment(year, month, day, round(hour * HOUR)),
        latitude=where[0],
        longitude=where[1],
        pressure=next((hectopascals(v) for v in variables if LEAST_PA <= v <= MOST_PA), math.nan),
        kind=TC,
    )
