"""The times of a CF variable's frames: whole seconds since 1900, in the file's own calendar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError, format_error
from baryon_climate.dataset.calendar import TIME_UNITS, Seconds

SAME_DAYS = {"standard": "proleptic_gregorian", "gregorian": "proleptic_gregorian"}
"""Calendars that are one from 1582 on."""
REFERENCE = "forecast_reference_time"
"""When a forecast began, which is no frame's time."""
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
RESOLUTIONS = (1, 60, 600, 1800, 3600)
"""Seconds; times are rounded to the finest of these that their numbers resolve."""


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """When the frames of a variable are."""

    dimension: str | None
    """None: one frame, whose time is a scalar coordinate."""
    seconds: Seconds
    """Since 1900-01-01, in the order of the file."""
    calendar: str


def time_coordinate(dataset: Any, variable: Any, where: str) -> Any:
    """Return the coordinate that says when the frames of a variable are.

    Raises `BaryonError` with `where` (the file) if there is none.
    """
    coordinate = _coordinate(dataset, variable)
    if coordinate is None:
        raise BaryonError(_no_time(dataset, variable, where))
    return coordinate


def time_axis(coordinate: Any, where: str) -> TimeAxis:
    """Decode a coordinate of time. Raises `BaryonError` for times that cannot be dated."""
    # A time of each (reference, step) with one of them of size one runs along the other.
    dimensions = sorted(coordinate.dims, key=lambda name: -coordinate.sizes[name])
    times = np.atleast_1d(np.squeeze(coordinate.values))
    if not len(times):
        raise BaryonError(f"{where}: {coordinate.name} has no steps: the file holds no frame")
    seconds, calendar = _decoded(times, coordinate.attrs, f"{where}: {coordinate.name}")
    return TimeAxis(str(dimensions[0]) if dimensions else None, seconds, calendar)


def _coordinate(dataset: Any, variable: Any) -> Any:
    """Return the best of what has units such as `hours since 2000-01-01` along the variable."""
    candidates = [
        candidate
        for candidate in dataset.variables
        if " since " in str(dataset[candidate].attrs.get("units", ""))
        and set(dataset[candidate].dims) <= set(variable.dims)
        and sum(length > 1 for length in dataset[candidate].shape) <= 1
    ]
    ranked = sorted(candidates, key=lambda name: _rank(dataset[name]))
    return dataset[ranked[0]] if ranked else None


def _rank(coordinate: Any) -> tuple[bool, bool, bool, bool, bool]:
    """Order coordinates of time, the likeliest first."""
    attributes = coordinate.attrs
    return (
        attributes.get("standard_name") == REFERENCE,
        coordinate.size == 1,  # an axis before a scalar
        attributes.get("standard_name") != "time",
        attributes.get("axis") != "T" and coordinate.dims != (coordinate.name,),
        coordinate.name not in ("valid_time", "time", "Time"),
    )


def _no_time(dataset: Any, variable: Any, where: str) -> str:
    undated = [
        f"{name} in {dataset[name].attrs.get('units', 'no units')!r}"
        for name in dataset.variables
        if str(name).lower() in ("time", "valid_time", "date")
    ]
    has = f"has the time {' and '.join(undated)}" if undated else "has no time"
    return (
        f"{where}: {variable.name} {has}: it needs an axis or a scalar coordinate with units such "
        "as 'hours since 1979-01-01' (cdo -r copy, or -settaxis, writes one)"
    )


def _decoded(times: npt.NDArray[Any], attributes: Any, where: str) -> tuple[Seconds, str]:
    import cftime

    units, calendar = str(attributes["units"]), str(attributes.get("calendar", "standard")).lower()
    if times.dtype.kind not in "iuf":
        raise BaryonError(f"{where} holds no numbers ({times.dtype})")
    missing = np.flatnonzero(~np.isfinite(times))
    if len(missing):
        raise BaryonError(f"{where} is missing at step {missing[0]}: write the time of each frame")
    try:
        dates = cftime.num2date(times, units, calendar, only_use_cftime_datetimes=True)
        seconds = cftime.date2num(dates, TIME_UNITS, dates[0].calendar)
    except (ValueError, OverflowError) as error:
        # UDUNITS counts 30.44 days a month where people mean calendar months
        if units.split()[0].rstrip("s").lower() in ("month", "year", "common_year"):
            raise BaryonError(
                f"{where} counts {units!r}, and months and years differ in length: write it in "
                "days, with cdo -setreftime,1900-01-01,00:00:00,days for example"
            ) from error
        # year 0 is two days apart between Julian and Gregorian counting: it is not dated by a guess
        if "year_zero" in str(error):  # cftime: zero not allowed ... when has_year_zero=False
            raise BaryonError(
                f"{where} counts {units!r}, but the calendar {calendar!r} has no year 0: name the "
                "calendar that is meant, often proleptic_gregorian, with ncatted or cdo "
                "-setcalendar"
            ) from error
        raise BaryonError(
            f"{where} in {units!r}, calendar {calendar!r}, cannot be dated ({format_error(error)})"
        ) from error
    resolution = _resolution(times, units)
    whole = np.rint(np.asarray(seconds, float) / resolution).astype(np.int64) * resolution
    return whole, SAME_DAYS.get(dates[0].calendar, dates[0].calendar)


def _resolution(times: npt.NDArray[Any], units: str) -> int:
    """Return the seconds to round to: float32 days since 1850 are 5 minutes apart."""
    if times.dtype.kind != "f":
        return 1
    step = float(np.spacing(np.abs(times).max())) * UNIT_SECONDS.get(units.strip()[0].lower(), 1)
    return next((seconds for seconds in RESOLUTIONS if seconds >= 2 * step), RESOLUTIONS[-1])
