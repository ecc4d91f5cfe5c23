"""From seconds to dates and back, in calendars without leap days as well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cftime

from baryon_climate.dataset.calendar import TIME_UNITS
from baryon_climate.dataset.listed_box import Moment


@dataclass(frozen=True, slots=True)
class Date:
    """A time to the second."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int

    def __str__(self) -> str:
        """As ISO 8601 writes it."""
        day = f"{self.year:04d}-{self.month:02d}-{self.day:02d}"
        return f"{day}T{self.hour:02d}:{self.minute:02d}:{self.second:02d}"


def date(seconds: int, calendar: str) -> Date:
    """Return the date of a time in seconds since 1900-01-01.

    Raises `ValueError` for a calendar that CF does not know.
    """
    moment = cftime.num2date(seconds, TIME_UNITS, calendar=calendar)
    return Date(moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)


def seconds(moment: Moment, calendar: str) -> int:
    """Return a time of a list in seconds since 1900-01-01 in the calendar.

    Raises `ValueError` for a date that the calendar has not.
    """
    try:
        return _midnight(calendar)(moment.year, moment.month, moment.day) + moment.second
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"the calendar {calendar!r} has no {moment.year}-{moment.month:02}-{moment.day:02}"
        ) from error


@lru_cache
def _midnight(calendar: str) -> Callable[[int, int, int], int]:
    """Return what gives the seconds from 1900-01-01 to the beginning of a date of the calendar."""

    @lru_cache(maxsize=4096)  # many lines are of one day
    def since_epoch(year: int, month: int, day: int) -> int:
        midnight = cftime.datetime(year, month, day, calendar=calendar)
        return round(float(cftime.date2num(midnight, TIME_UNITS, calendar)))

    return since_epoch
