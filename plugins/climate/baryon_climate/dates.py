"""From seconds to dates, in calendars without leap days as well."""

from __future__ import annotations

from dataclasses import dataclass

import cftime

from baryon_climate.dataset.calendar import TIME_UNITS


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
