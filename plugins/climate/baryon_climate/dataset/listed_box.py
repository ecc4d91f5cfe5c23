"""A box of a list: how its numbers, class and time are written.

Numbers are decimal and finite. A time is ISO 8601 without week or day numbers, to the second, in
the calendar of the frames; without an offset it is UTC.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from baryon_climate.classes import SHORT
from baryon_climate.dataset.calendar import HOUR

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
TIME = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"(?:[T ](?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.\d*)?)?)?"
    r"(?P<offset>Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)
EXAMPLE = "1979-01-31T06:00"
MINUTE = 60
"""Seconds."""
POLE = 90 + 1e-4
"""Degrees: what `baryon predict` writes is rounded to four digits."""
WESTERNMOST, EASTERNMOST = -360.0, 720.0
"""Degrees east: a box from 350 to 370 crosses the Greenwich meridian."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of a list, whose date may not exist in the calendar of the frames."""

    year: int
    month: int
    day: int
    second: int
    """Since the date's midnight; negative or beyond the day's end where an offset makes it so."""


@dataclass(frozen=True, slots=True)
class ListedBox:
    """One box of a list, as it is written there."""

    place: str
    """Where in the list it is, for people."""
    moment: Moment
    kind: int
    """Its class from 0; one that is not known stays what it is."""
    sides: tuple[float, float, float, float]
    """South, west, north, east in degrees; or four columns in pixels, in the list's order."""


def number(name: str, text: str) -> float:
    """Read a finite decimal number. Raises `ValueError` naming the column."""
    if not NUMBER.fullmatch(text.strip()) or not math.isfinite(value := float(text)):
        raise ValueError(f"{name}={_shown(text)} is no finite number")
    return value


def whole(name: str, text: str) -> int:
    """Read a whole number, also one written as 3.0. Raises `ValueError` naming the column."""
    value = number(name, text)
    if not value.is_integer():
        raise ValueError(f"{name}={_shown(text)} is no whole number")
    return int(value)


def event_class(text: str, first_class: int) -> int:
    """Read the number of a class or its short name. Raises `ValueError` for anything else."""
    text = text.strip()
    if text in SHORT:
        return SHORT.index(text)
    try:
        return whole("class", text) - first_class
    except ValueError as error:
        names = ", ".join(SHORT)
        raise ValueError(f"class={_shown(text)} is no whole number and none of {names}") from error


def moment(text: str) -> Moment:
    """Read a time. Raises `ValueError` for one that is not written as in `EXAMPLE`."""
    match = TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{_shown(text)} is no time such as {EXAMPLE}")
    year, month, day = (int(match[part]) for part in ("year", "month", "day"))
    hour, minute, second = (int(match[part] or 0) for part in ("hour", "minute", "second"))
    since_midnight = hour * HOUR + minute * MINUTE + second
    if hour > 24 or minute > 59 or second > 59 or since_midnight > 24 * HOUR:
        raise ValueError(f"{_shown(text)} is no time such as {EXAMPLE}")
    return Moment(year, month, day, since_midnight - _offset(match["offset"]))


def require_degrees(south: float, west: float, north: float, east: float) -> None:
    """Raise `ValueError` for sides that are no degrees, or farther apart than the circle."""
    for latitude in (south, north):
        if abs(latitude) > POLE:
            raise ValueError(f"the latitude {latitude:g} is not from -90 to 90")
    for longitude in (west, east):
        if not WESTERNMOST <= longitude <= EASTERNMOST:
            raise ValueError(
                f"the longitude {longitude:g} is not from {WESTERNMOST:g} to {EASTERNMOST:g}"
            )
    if east - west > 360:
        raise ValueError(f"from {west:g} to {east:g} degrees east is more than the circle")


def _offset(text: str | None) -> int:
    """Return the seconds by which a local time is ahead of UTC."""
    if text is None or text == "Z":
        return 0
    digits = text[1:].replace(":", "")
    seconds = int(digits[:2]) * HOUR + int(digits[2:] or 0) * MINUTE
    return -seconds if text[0] == "-" else seconds


def _shown(text: str) -> str:
    """Return a text printable, and no longer than a line of an error has room for."""
    return ascii(text if len(text) <= 40 else text[:40] + "...")
