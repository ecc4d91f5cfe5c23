"""A track: where one storm was over time, and how strong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError
from baryon.terminal.console import warn
from baryon_climate.classes import TC, TD
from baryon_climate.dates import seconds
from baryon_climate.grid import distance
from baryon_climate.tracks.fix import KNOT, Fix

Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
UNKNOWN = -1
"""Class of a point that none is known of."""
LEAP_KM, LEAP_SPEED = 300.0, 45.0
"""A storm that went farther than so many km, at so many m/s or more, has leapt: the fastest storms
after recurving go at some 30 m/s."""
CALENDAR = "proleptic_gregorian"


@dataclass(frozen=True, slots=True)
class Track:
    """One storm; every array is (n,), in the order of time."""

    name: str
    times: Counts
    """Seconds since 1900-01-01 in the calendar of whoever asked for the track."""
    latitude: Numbers
    """Degrees north."""
    longitude: Numbers
    """Degrees east from 0 to below 360."""
    pressure: Numbers
    """Minimum sea-level pressure in hPa; NaN where it is not known."""
    wind: Numbers
    """Maximum wind in m/s; NaN where it is not known."""
    classes: Counts
    scores: Numbers
    """Of a network's boxes; NaN elsewhere."""

    def __len__(self) -> int:
        return len(self.times)

    @property
    def kind(self) -> int:
        """Class of the track: a tropical storm is a cyclone if it was one at any time."""
        kinds = self.classes[self.classes != UNKNOWN]
        if not len(kinds):
            return UNKNOWN
        if TC in kinds:
            return TC
        return int(np.bincount(kinds).argmax())

    @property
    def hours(self) -> float:
        """Time from the first point to the last."""
        return float(self.times[-1] - self.times[0]) / 3600

    @property
    def strongest(self) -> float:
        """Largest wind in m/s; NaN if none is known."""
        return float(np.nanmax(self.wind)) if not np.isnan(self.wind).all() else float("nan")

    @property
    def deepest(self) -> float:
        """Lowest pressure in hPa; NaN if none is known."""
        known = not np.isnan(self.pressure).all()
        return float(np.nanmin(self.pressure)) if known else float("nan")

    def between(self, first: int, last: int) -> Track | None:
        """Return the part from time `first` to `last`; None if there is none."""
        inside = (self.times >= first) & (self.times <= last)
        return self.take(inside) if inside.any() else None

    def named(self, name: str) -> Track:
        """Return the same track under a name."""
        return replace(self, name=name)

    def take(self, rows: npt.NDArray[np.bool_] | Counts) -> Track:
        """Return the track of some of its points."""
        return Track(
            self.name,
            self.times[rows],
            self.latitude[rows],
            self.longitude[rows],
            self.pressure[rows],
            self.wind[rows],
            self.classes[rows],
            self.scores[rows],
        )


def tracks_of(path: Path, fixes: Iterable[Fix], calendar: str = CALENDAR) -> list[Track]:
    """Join the fixes of a file to tracks, by the identifiers of the storms.

    Raises `BaryonError` for a date that the calendar has not, and for two positions of a storm at
    one time. Warns of storms that leap.
    """
    by_storm: dict[str, list[tuple[int, Fix]]] = defaultdict(list)
    for fix in fixes:
        by_storm[fix.storm].append((_time(path, fix, calendar), fix))
    tracks = [_track(path, storm, timed) for storm, timed in by_storm.items()]
    _warn_of_leaps(path, tracks)
    return tracks


def _time(path: Path, fix: Fix, calendar: str) -> int:
    try:
        return seconds(fix.moment, calendar)
    except ValueError as error:
        raise BaryonError(f"{path}: {fix.place}: {error}") from error


def _track(path: Path, storm: str, timed: list[tuple[int, Fix]]) -> Track:
    # By time alone, and stable: two fixes of one time stay in the file's order, in which the error
    # names them.
    timed.sort(key=lambda entry: entry[0])
    for (before, first), (after, second) in pairwise(timed):
        if before == after:
            raise BaryonError(
                f"{path}: storm {storm} is twice at one time, in {first.place} and {second.place}"
            )
    fixes = [fix for _, fix in timed]
    return Track(
        name=storm,
        times=np.array([time for time, _ in timed], np.int64),
        latitude=np.array([fix.latitude for fix in fixes]),
        longitude=np.array([fix.longitude for fix in fixes]),
        pressure=np.array([fix.pressure for fix in fixes]),
        wind=np.array([fix.wind for fix in fixes]),
        classes=np.array([_kind(fix) for fix in fixes], np.int64),
        scores=np.full(len(fixes), np.nan),
    )


def _kind(fix: Fix) -> int:
    if fix.kind is not None:
        return fix.kind
    if np.isnan(fix.wind):
        return UNKNOWN
    # Knots of a file become m/s and lose a last digit: 34 of them must still be 34.
    return TC if fix.wind >= 34 * KNOT - 1e-6 else TD


def _warn_of_leaps(path: Path, tracks: Sequence[Track]) -> None:
    leaps = [(track, leap) for track in tracks if (leap := _leap(track)) is not None]
    if leaps:
        track, (far, hours) = leaps[0]
        warn(
            f"{path}: {len(leaps):,} of {len(tracks):,} tracks leap: {track.name} goes "
            f"{far:,.0f} km in {hours:g} h"
        )


def _leap(track: Track) -> tuple[float, float] | None:
    """Return the distance in km and the hours of the longest step that no storm makes."""
    north, east = track.latitude, track.longitude
    steps = distance(north[:-1], east[:-1], north[1:], east[1:])
    after = np.diff(track.times)
    leaps = steps > np.maximum(LEAP_KM, LEAP_SPEED / 1000 * after)
    if not leaps.any():
        return None
    farthest = int(np.where(leaps, steps, 0.0).argmax())
    return float(steps[farthest]), float(after[farthest]) / 3600
