"""HURDAT2, the best tracks of the Atlantic and the eastern Pacific (Landsea and Franklin, 2013).

`AL092021,                IDA,     40,` opens a storm, lines such as
`20210829, 1655, L, HU, 29.1N,  90.2W, 130,  931,  130,  110,   80,  110, ...` follow: date, time,
record, status, position, wind in knots, pressure in hPa, and radii of 34, 50 and 64 knots in
nautical miles by quadrant. -999 stands for what is not known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

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

STORM = re.compile(r"[A-Z]{2}\d{6}", re.ASCII)
"""Basin, number and year."""
NATURES = {
    "TD": Nature.TROPICAL,
    "TS": Nature.TROPICAL,
    "HU": Nature.TROPICAL,
    "EX": Nature.EXTRATROPICAL,
    "SD": Nature.SUBTROPICAL,
    "SS": Nature.SUBTROPICAL,
    "LO": Nature.DISTURBANCE,
    "WV": Nature.DISTURBANCE,
    "DB": Nature.DISTURBANCE,
}
FIELDS = 8
"""Fields that a line of a storm has at least."""
RADII = slice(8, 12)
"""Of 34 knots."""
SIGNS = {"N": 1.0, "E": 1.0, "S": -1.0, "W": -1.0}


def looks_like(text: str) -> bool:
    """Tell the format by its first line."""
    return STORM.fullmatch(text.split(",")[0].strip()) is not None


def read(lines: Sequence[str]) -> Iterator[Fix]:
    """Yield the fixes of a file. Raises `ValueError` naming the line that cannot be read."""
    storm, left = "", 0
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        place, fields = f"line {number}", [field.strip() for field in text.split(",")]
        try:
            if left == 0:
                storm, left = _storm(fields)
                continue
            yield _fix(place, storm, fields)
            left -= 1
        except ValueError as error:
            raise ValueError(f"{place} cannot be read ({error})") from error
    if left:
        raise ValueError(f"it ends {left} lines before storm {storm} does")


def _storm(fields: Sequence[str]) -> tuple[str, int]:
    if len(fields) < 3 or not STORM.fullmatch(fields[0]) or not fields[2].isdigit():
        raise ValueError("a storm such as AL092021, IDA, 40 should begin there")
    return fields[0], int(fields[2])


def _fix(place: str, storm: str, fields: Sequence[str]) -> Fix:
    if len(fields) < FIELDS:
        raise ValueError(f"it has {len(fields)} fields, a line of a storm {FIELDS} or more")
    date, time = fields[0], fields[1]
    if len(date) != 8 or len(time) != 4:
        raise ValueError(f"{date}, {time} is no date and time such as 20210829, 1655")
    where = position(_signed(fields[4]), _signed(fields[5]))
    if where is None:
        raise ValueError("it has no position")
    knots = quantity("wind", fields[6])
    return Fix(
        place=place,
        storm=storm,
        moment=moment(f"{date[:4]}-{date[4:6]}-{date[6:]}T{time[:2]}:{time[2:]}"),
        latitude=where[0],
        longitude=where[1],
        # A wind of 0 is a missing one: no storm has none.
        wind=knots * KNOT if knots > 0 else math.nan,
        pressure=hectopascals(quantity("pressure", fields[7])),
        nature=NATURES.get(fields[3], Nature.UNKNOWN),
        gale_radius=mean_radius([quantity("radius", radius) for radius in fields[RADII]]),
    )


def _signed(text: str) -> str:
    """Turn 90.2W into -90.2."""
    if text[-1:] not in SIGNS:
        raise ValueError(f"{text!r} is no latitude or longitude such as 29.1N or 90.2W")
    return f"{'-' if SIGNS[text[-1]] < 0 else ''}{text[:-1].strip()}".replace("--", "")
