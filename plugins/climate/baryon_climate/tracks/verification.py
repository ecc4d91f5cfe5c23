"""Verify tracks against best tracks: what was found, what was not, and how far off it was.

A storm is detected if a track comes within some kilometres of it at one of its times; a track is a
false alarm if it comes that near to none of the storms. Of detected storms the track with most
common times says the errors of position, pressure, wind and duration. Errors of all figures come
from a Poisson bootstrap whose units are storms, each with the tracks that follow it, and the false
alarms: neighbouring times of one storm are not independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError
from baryon_climate.tracks.basins import basin
from baryon_climate.tracks.fix import KNOT
from baryon_climate.tracks.matching import Pair, match
from baryon_climate.tracks.track import Numbers, Track

CATEGORIES = {
    "below 34 kt": (0.0, 34.0),
    "34 to 63 kt": (34.0, 64.0),
    "64 to 95 kt": (64.0, 96.0),
    "96 kt on": (96.0, math.inf),
}
"""By the largest wind of a storm's life: depression, tropical storm, hurricane, major hurricane."""
WITHOUT_WIND = "wind not known"
ROUNDING = 1e-6
"""m/s: 34 knots read from a file are 34 knots."""
ERRORS = ("position_km", "pressure_hpa", "wind_ms", "duration_h")


@dataclass(frozen=True, slots=True)
class Score:
    """A figure with its standard deviation; NaN where it is not known."""

    value: float
    error: float


@dataclass(frozen=True, slots=True)
class Scores:
    """The figures of some storms and some tracks."""

    storms: int
    detected: int
    tracks: int
    false_alarms: int
    pod: Score
    far: Score
    csi: Score


@dataclass(frozen=True, slots=True)
class Verification:
    """What tracks are worth against best tracks."""

    within_km: float
    least_knots: float
    all: Scores
    by_basin: dict[str, Scores]
    by_category: dict[str, Scores]
    """False alarms have no category: there FAR and CSI are NaN."""
    errors: dict[str, Score]
    """Mean of each of `ERRORS` over detected storms: track less best track."""
    weaker: int
    """False alarms that follow a storm too weak to be looked for."""


def verify(
    tracks: Sequence[Track],
    best: Sequence[Track],
    *,
    within_km: float = 300.0,
    least_knots: float = 34.0,
    replicas: int = 1000,
    seed: int = 1,
) -> Verification:
    """Score tracks against best tracks of the same calendar.

    Parameters
    ----------
    tracks
        What was found. All count, so give those of the classes that `best` is of.
    best
        The storms. Their part in the time from the first to the last point of `tracks` counts.
    within_km
        Distance at most of a hit.
    least_knots
        Storms whose largest wind is below, or not known, are not looked for; 0: all storms are.
    replicas
        Of the bootstrap, at least 2.
    seed
        Of the bootstrap.

    Raises
    ------
    BaryonError
        If no storm is to be found in the time of the tracks, or the two have no time in common.

    """
    if within_km <= 0 or replicas < 2:
        raise BaryonError(f"within_km={within_km:g} must be above 0, and replicas 2 or more")
    sought = [storm for storm in best if _is_sought(storm, least_knots)]
    weak = [storm for storm in best if not _is_sought(storm, least_knots)]
    if not sought:
        raise BaryonError(
            f"none of {len(best):,} best tracks has {least_knots:g} knots in this time: there is "
            "nothing to be found"
        )
    _require_common_times(tracks, sought)
    pairs = match(sought, tracks, within_km)
    units = _Units.of(sought, tracks, pairs)
    random = np.random.default_rng(seed)
    count = len(sought) + len(tracks)
    # Poisson(1) counts draw each storm by itself: a basin or a category takes its columns, without
    # draws of its own.
    draws = random.poisson(1.0, (replicas, count)).astype(np.float64)
    false = {number for number in range(len(tracks)) if units.owner[number] < 0}
    return Verification(
        within_km,
        least_knots,
        all=units.scores(np.ones(len(sought), bool), np.ones(len(tracks), bool), draws),
        by_basin=_by_basin(units, sought, tracks, draws),
        by_category=_by_category(units, sought, draws),
        errors=_errors(sought, tracks, pairs, draws),
        weaker=len(false & {pair.track for pair in match(weak, tracks, within_km)}),
    )


def in_period(tracks: Sequence[Track], first: int, last: int) -> list[Track]:
    """Return the parts of tracks from one time to another, without those that have none."""
    parts = (track.between(first, last) for track in tracks)
    return [part for part in parts if part is not None]


def _is_sought(storm: Track, least_knots: float) -> bool:
    return least_knots <= 0 or storm.strongest >= least_knots * KNOT - ROUNDING


def _require_common_times(tracks: Sequence[Track], best: Sequence[Track]) -> None:
    ours = {int(time) for track in tracks for time in track.times}
    if ours and not any(int(time) in ours for storm in best for time in storm.times):
        raise BaryonError(
            "no point of a track is at the time of a point of a best track: are they of the same "
            "years, and of the same hours of the day?"
        )


def _basin(track: Track) -> str:
    """Return the basin where a track is strongest, or deepest, or else begins."""
    at = 0
    if not np.isnan(track.wind).all():
        at = int(np.nanargmax(track.wind))
    elif not np.isnan(track.pressure).all():
        at = int(np.nanargmin(track.pressure))
    return basin(float(track.latitude[at]), float(track.longitude[at]))


def _category(storm: Track) -> str:
    knots = (storm.strongest + ROUNDING) / KNOT
    return next(
        (name for name, (low, high) in CATEGORIES.items() if low <= knots < high), WITHOUT_WIND
    )


@dataclass(frozen=True, slots=True)
class _Units:
    """What the bootstrap draws: storms with the tracks that follow them, and false alarms."""

    detected: npt.NDArray[np.bool_]
    """(storms,)"""
    owner: npt.NDArray[np.int64]
    """(tracks,) the storm that each track follows for most times, -1 of a false alarm."""

    @staticmethod
    def of(best: Sequence[Track], tracks: Sequence[Track], pairs: Sequence[Pair]) -> _Units:
        detected, owner = np.zeros(len(best), bool), np.full(len(tracks), -1)
        for pair in reversed(pairs):  # the best pair is first, so it is set last
            detected[pair.best] = True
            owner[pair.track] = pair.best
        return _Units(detected, owner)

    def scores(
        self,
        storms: npt.NDArray[np.bool_],
        tracks: npt.NDArray[np.bool_] | None,
        draws: Numbers,
    ) -> Scores:
        """Score some of the storms and some of the tracks; None: false alarms are not known."""
        known = len(self.detected)
        ones = np.ones((1, draws.shape[1]))
        false = self.owner < 0
        # a track that follows a storm is drawn with it
        columns = np.where(false, known + np.arange(len(self.owner)), self.owner)
        inside = np.zeros(len(self.owner), bool) if tracks is None else tracks

        def figures(weights: Numbers) -> tuple[Numbers, Numbers, Numbers]:
            of_storms, of_tracks = weights[:, :known], weights[:, columns]
            hits = of_storms[:, storms & self.detected].sum(axis=1)
            misses = of_storms[:, storms & ~self.detected].sum(axis=1)
            alarms = of_tracks[:, inside & false].sum(axis=1)
            right = of_tracks[:, inside & ~false].sum(axis=1)
            with np.errstate(invalid="ignore"):
                csi = hits / (hits + misses + alarms)
                return hits / (hits + misses), alarms / (alarms + right), csi

        exact, drawn = figures(ones), figures(draws)
        pod, far, csi = (
            Score(float(value[0]), _deviation(replicas))
            for value, replicas in zip(exact, drawn, strict=True)
        )
        unknown = Score(math.nan, math.nan)
        return Scores(
            storms=int(storms.sum()),
            detected=int((storms & self.detected).sum()),
            tracks=int(inside.sum()),
            false_alarms=int((inside & false).sum()),
            pod=pod,
            far=unknown if tracks is None else far,
            csi=unknown if tracks is None else csi,
        )


def _deviation(replicas: Numbers) -> float:
    known = replicas[np.isfinite(replicas)]
    return float(known.std(ddof=1)) if len(known) > 1 else math.nan


def _by_basin(
    units: _Units, storms: Sequence[Track], tracks: Sequence[Track], draws: Numbers
) -> dict[str, Scores]:
    of_storms = np.array([_basin(storm) for storm in storms])
    of_tracks = np.array([_basin(track) for track in tracks], dtype=str)
    return {
        name: units.scores(of_storms == name, of_tracks == name, draws)
        for name in sorted({*of_storms.tolist(), *of_tracks.tolist()})
    }


def _by_category(units: _Units, storms: Sequence[Track], draws: Numbers) -> dict[str, Scores]:
    categories = [_category(storm) for storm in storms]
    return {
        name: units.scores(np.array([c == name for c in categories]), None, draws)
        for name in (*CATEGORIES, WITHOUT_WIND)
        if name in categories
    }


def _errors(
    best: Sequence[Track], tracks: Sequence[Track], pairs: Sequence[Pair], draws: Numbers
) -> dict[str, Score]:
    """Return the mean errors over detected storms, each with the track that follows it longest."""
    longest: dict[int, Pair] = {}
    for pair in pairs:
        longest.setdefault(pair.best, pair)
    numbers = sorted(longest)
    table = np.array([_of_storm(best[n], tracks[longest[n].track], longest[n]) for n in numbers])
    errors: dict[str, Score] = {}
    for column, name in enumerate(ERRORS):
        values = table[:, column] if len(numbers) else np.zeros(0)
        known = ~np.isnan(values)
        weights = draws[:, np.array(numbers, np.int64)[known]]
        with np.errstate(invalid="ignore"):
            means = (weights * values[known]).sum(axis=1) / weights.sum(axis=1)
        value = float(values[known].mean()) if known.any() else math.nan
        errors[name] = Score(value, _deviation(means))
    return errors


def _of_storm(storm: Track, track: Track, pair: Pair) -> tuple[float, float, float, float]:
    return (
        float(pair.far.mean()),
        _mean_difference(track.pressure[pair.track_rows], storm.pressure[pair.best_rows]),
        _mean_difference(track.wind[pair.track_rows], storm.wind[pair.best_rows]),
        track.hours - storm.hours,
    )


def _mean_difference(found: Numbers, known: Numbers) -> float:
    difference = found - known
    difference = difference[~np.isnan(difference)]
    return float(difference.mean()) if len(difference) else math.nan
