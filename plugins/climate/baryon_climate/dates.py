"""From hours to dates, in calendars without leap days as well."""

from __future__ import annotations

from dataclasses import dataclass

import cftime

from baryon_climate.dataset.calendar import EPOCH

UNITS = f"hours since {EPOCH}-01-01 00:00:00"


@dataclass(frozen=True, slots=True)
class Date:
    """A time to the hour."""

    year: int
    month: int
    day: int
    hour: int

    def __str__(self) -> str:
        """As ISO 8601 writes it."""
        return f"{self.year:04d}-{self.month:02d}-{self.day:02d}T{self.hour:02d}:00:00"


def date(hours: int, calendar: str) -> Date:
    """Of hours since the epoch. Raises `ValueError` for a calendar that CF does not know."""
    found = cftime.num2date(hours, UNITS, calendar=calendar)
    return Date(found.year, found.month, found.day, found.hour)
