"""The times of a year's frames.

CAM5 runs on a calendar without leap days: each of its years has 365 days. A file tells neither
calendar nor step, so both follow from its number of frames, unless the options say them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError

NOLEAP, STANDARD = "noleap", "proleptic_gregorian"
CALENDARS = NOLEAP, STANDARD, "360_day", "all_leap", "julian"
"""CF's calendars that are not the same: a batch names its own by the place in this list."""
EPOCH = 1900
"""`time` counts seconds from the beginning of this year, in the calendar of the frames."""
TIME_UNITS = f"seconds since {EPOCH}-01-01 00:00:00"
HOUR = 3600
"""Seconds."""
FRAMES_A_DAY = (1, 2, 4, 8, 24)
MOST = 1_000_000
"""Hours between frames, or frames of a year, that an attribute may give."""
Seconds = npt.NDArray[np.int64]


def days_in(year: int, calendar: str) -> int:
    """Return 365, or 366 for a leap year of a calendar that has them."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 366 if leap and calendar == STANDARD else 365


def start_of(year: int, calendar: str) -> int:
    """Return the seconds from the epoch to the beginning of a year."""
    if calendar == NOLEAP:
        return (year - EPOCH) * 365 * 24 * HOUR
    return (dt.date(year, 1, 1) - dt.date(EPOCH, 1, 1)).days * 24 * HOUR


def step_of(year: int, frames: int, calendar: str) -> int | None:
    """Return the hours between frames that fill the year; None if no usual step does."""
    days = days_in(year, calendar)
    return next((24 // a_day for a_day in FRAMES_A_DAY if a_day * days == frames), None)


def calendar_of(files: Mapping[int, tuple[Path, int]]) -> str:
    """Return the calendar of files by year, each with its number of frames.

    Standard if a leap year has its 366 days. Raises `BaryonError` if another one has not.
    """
    leap = {y: file for y, file in files.items() if days_in(y, STANDARD) == 366}
    # Only leap years tell calendars apart: all others have 365 days in both.
    long = {y for y, (_, frames) in leap.items() if step_of(y, frames, STANDARD) is not None}
    if not long:
        return NOLEAP
    short = {y for y, (_, frames) in leap.items() if step_of(y, frames, NOLEAP) is not None}
    if short:
        a, b = leap[min(short)], leap[min(long)]
        raise BaryonError(
            f"{a[0]} has {a[1]} frames, a year of 365 days, but {b[0]} has {b[1]}, one of 366: "
            "they are of different calendars; give files of one"
        )
    return STANDARD


def times(year: int, path: Path, frames: int, calendar: str, given: Mapping[str, Any]) -> Seconds:
    """Return the time of each frame: (frames,) seconds since the epoch.

    `given` is what the file itself says as attributes (`hours_between_frames`, `frames`), as the
    generator of synthetic files writes. Raises `BaryonError` for a truncated year, and for
    attributes that are no numbers above 0.
    """
    step = given.get("hours_between_frames")
    if step is not None:
        step = _number(path, "hours_between_frames", step)
        expected = _number(path, "frames", given.get("frames", frames))
        if frames != expected:
            raise BaryonError(_truncated(path, frames, f"{expected:g}"))
        seconds = round(step * HOUR)
        return start_of(year, calendar) + np.arange(frames, dtype=np.int64) * seconds
    step_hours = step_of(year, frames, calendar)
    if step_hours is None:
        days = days_in(year, calendar)
        full = ", ".join(str(a_day * days) for a_day in FRAMES_A_DAY)
        raise BaryonError(_truncated(path, frames, f"one of {full}"))
    return start_of(year, calendar) + np.arange(frames, dtype=np.int64) * (step_hours * HOUR)


def _number(path: Path, name: str, value: Any) -> float:
    """Return a number from an attribute, whatever somebody has put there."""
    number = np.asarray(value)
    # A tiny step would make all frames fall on the same second.
    if number.ndim or number.dtype.kind not in "iuf" or not 1 / HOUR <= number <= MOST:
        raise BaryonError(
            f"{path}: attribute {name!r} is {value!r}; it must be a number above 0: say "
            "dataset.step_hours=<hours>, or write the file anew"
        )
    return float(number)


def _truncated(path: Path, frames: int, whole: str) -> str:
    return (
        f"{path} is truncated: it holds {frames} frames, a whole year has {whole}; fetch it again, "
        "or say with dataset.step_hours=<hours> that so few are right"
    )
