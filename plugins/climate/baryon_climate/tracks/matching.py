"""Match tracks to best tracks: where both are within a distance at the same times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from baryon_climate.grid import distance
from baryon_climate.tracks.track import Counts, Numbers, Track


@dataclass(frozen=True, slots=True)
class Pair:
    """A track that follows a best track for some of its times."""

    best: int
    """Number of the best track."""
    track: int
    best_rows: Counts
    """(n,) points of the best track at the common times at which the two are near."""
    track_rows: Counts
    far: Numbers
    """(n,) km between the two."""


def match(best: Sequence[Track], tracks: Sequence[Track], within_km: float) -> list[Pair]:
    """Return every pair that is at most `within_km` apart at one common time or more.

    Those with most such times come first, of equals the nearest.
    """
    moments, tracks_at, rows_at = _by_time(tracks)
    pairs: list[Pair] = []
    for number, storm in enumerate(best):
        first = np.searchsorted(moments, storm.times, side="left")
        last = np.searchsorted(moments, storm.times, side="right")
        rows = np.repeat(np.arange(len(storm)), last - first)
        if not len(rows):
            continue
        points = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])
        whose, where = tracks_at[points], rows_at[points]
        north = np.array([tracks[t].latitude[r] for t, r in zip(whose, where, strict=True)])
        east = np.array([tracks[t].longitude[r] for t, r in zip(whose, where, strict=True)])
        far = distance(storm.latitude[rows], storm.longitude[rows], north, east)
        near = far <= within_km
        pairs += [
            Pair(number, int(track), rows[chosen], where[chosen], far[chosen])
            for track in np.unique(whose[near])
            for chosen in [np.flatnonzero(near & (whose == track))]
        ]
    return sorted(pairs, key=lambda pair: (-len(pair.far), float(pair.far.mean())))


def _by_time(tracks: Sequence[Track]) -> tuple[Counts, Counts, Counts]:
    """Return the times of all points in order, and the track and row of each."""
    if not tracks:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, nothing
    times = np.concatenate([track.times for track in tracks])
    whose = np.repeat(np.arange(len(tracks)), [len(track) for track in tracks])
    rows = np.concatenate([np.arange(len(track)) for track in tracks])
    order = np.argsort(times, kind="stable")
    return times[order], whose[order], rows[order]
