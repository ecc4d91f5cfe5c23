"""Link the boxes of consecutive frames to tracks.

Boxes of depressions and cyclones make tracks with one another, those of extratropical cyclones and
of rivers each with their own. A track goes on at a box whose centre lies within `distance_km` and
what a storm moves at `speed` since the track's last one, of which at most `gap_hours` may have
passed. As many as possible are linked, each once, so that the sum of the distances is least. A box
that continues no track begins one. Tracks shorter than `least_hours` are left out.

TempestExtremes's `StitchNodes` has the same parts: `--range` for the distance between frames, in
degrees, `--maxgap`, `--mintime`. It links each node to the nearest one. Its thresholds on fields
(`--threshold`) have no counterpart: the network says what a storm is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from baryon.errors import BaryonError
from baryon_climate.classes import AR, ETC, TC, TD
from baryon_climate.grid import distance
from baryon_climate.storms import Storms
from baryon_climate.tracks.track import Counts, Numbers, Track

FAMILIES = ((TD, TC), (ETC,), (AR,))
"""Classes that make tracks with one another: depressions become cyclones and cyclones decay."""
HOUR = 3600
"""Seconds."""
UNREACHED_KM = 1e6
"""Cost of a pair that is too far apart: more than all pairs of a frame that are not."""


@dataclass(frozen=True, slots=True)
class LinkRules:
    """Limits of a track; `conf/predict/climate_boxes.yaml` explains each."""

    distance_km: float
    speed: float
    gap_hours: float
    least_hours: float

    def reach(self, seconds: float) -> float:
        """Return how far a storm may be, in km, so long after it was seen last."""
        return self.distance_km + self.speed * seconds / 1000


def link_rules(owner: str, values: Mapping[str, float]) -> LinkRules:
    """Check limits from the config. Raises `BaryonError`, which begins with `owner`."""
    names = [entry.name for entry in fields(LinkRules)]
    if sorted(values) != sorted(names):
        raise BaryonError(f"{owner}: tracks has {', '.join(values)}; it needs {', '.join(names)}")
    for name, value in values.items():
        least = 0 if name == "least_hours" else 1e-9
        if not least <= value < 1e6:
            allowed = "above 0" if least else "0 or more"
            raise BaryonError(f"{owner}: tracks.{name}={value:g} must be {allowed}")
    return LinkRules(**values)


@dataclass(frozen=True, slots=True)
class Sighting:
    """The storms of one frame and how strong they are there."""

    storms: Storms
    pressure: Numbers
    """(n,) hPa."""
    wind: Numbers
    """(n,) m/s."""


@dataclass(slots=True)
class _Open:
    """A track that may go on: the frames and the boxes there."""

    points: list[tuple[Sighting, int]] = field(default_factory=list)

    @property
    def time(self) -> int:
        return self.points[-1][0].storms.time

    @property
    def place(self) -> tuple[float, float]:
        sighting, number = self.points[-1]
        return float(sighting.storms.latitude[number]), float(sighting.storms.longitude[number])

    def track(self) -> Track:
        storms = [(sighting.storms, number) for sighting, number in self.points]
        return Track(
            name="",
            times=np.array([frame.time for frame, _ in storms], np.int64),
            latitude=np.array([frame.latitude[n] for frame, n in storms]),
            longitude=np.array([frame.longitude[n] for frame, n in storms]),
            pressure=np.array([sighting.pressure[n] for sighting, n in self.points]),
            wind=np.array([sighting.wind[n] for sighting, n in self.points]),
            classes=np.array([frame.classes[n] for frame, n in storms], np.int64),
            scores=np.array([frame.scores[n] for frame, n in storms]),
        )


class Linker:
    """Links frame by frame; memory holds the boxes of tracks, not the frames."""

    def __init__(self, rules: LinkRules) -> None:
        self._rules = rules
        self._open: dict[tuple[int, ...], list[_Open]] = {family: [] for family in FAMILIES}
        self._done: list[Track] = []
        self._time: int | None = None
        self._nearest: int | None = None

    @property
    def step_hours(self) -> float | None:
        """Shortest time between two frames; None before there were two."""
        return None if self._nearest is None else self._nearest / HOUR

    def add(self, sighting: Sighting) -> None:
        """Add the next frame. One that is not later than the last begins another series."""
        time = sighting.storms.time
        after = None if self._time is None else time - self._time
        if after is not None and after > 0:
            self._nearest = after if self._nearest is None else min(self._nearest, after)
        for family in FAMILIES:
            if after is not None and after <= 0:
                self._close(family, self._open[family])
            else:
                late = self._rules.gap_hours * HOUR
                self._close(family, [o for o in self._open[family] if time - o.time > late])
            self._extend(family, sighting)
        self._time = time

    def finish(self) -> list[Track]:
        """Return all tracks, named by number in the order in which they begin."""
        for family in FAMILIES:
            self._close(family, self._open[family])
        return numbered(self._done)

    def _extend(self, family: tuple[int, ...], sighting: Sighting) -> None:
        storms = sighting.storms
        boxes = np.flatnonzero(np.isin(storms.classes, family))
        tracks = self._open[family]
        taken: set[int] = set()
        for track, box in self._pairs(tracks, sighting, boxes):
            tracks[track].points.append((sighting, box))
            taken.add(box)
        tracks += [_Open([(sighting, int(box))]) for box in boxes if int(box) not in taken]

    def _pairs(
        self, tracks: Sequence[_Open], sighting: Sighting, boxes: Counts
    ) -> list[tuple[int, int]]:
        """Return the pairs of a track and a box that are linked, each in one pair."""
        from scipy.optimize import linear_sum_assignment

        if not tracks or not len(boxes):
            return []
        storms = sighting.storms
        places = np.array([track.place for track in tracks])
        far = distance(
            places[:, :1], places[:, 1:], storms.latitude[boxes], storms.longitude[boxes]
        )
        reach = np.array([self._rules.reach(storms.time - track.time) for track in tracks])
        near = far <= reach[:, None]
        # the shortest way in all, not each track's nearest box: storms may follow one another
        # With infinite costs the solver fails where not all can be paired. It pairs as many as it
        # can: those out of reach are dropped below.
        chosen = linear_sum_assignment(np.where(near, far, UNREACHED_KM))
        return [
            (int(track), int(boxes[column]))
            for track, column in zip(*chosen, strict=True)
            if near[track, column]
        ]

    def _close(self, family: tuple[int, ...], ended: Sequence[_Open]) -> None:
        # By identity: to compare two tracks is to compare arrays, which has no single answer.
        gone = {id(track) for track in ended}
        self._open[family] = [track for track in self._open[family] if id(track) not in gone]
        tracks = [track.track() for track in ended]
        self._done += [track for track in tracks if track.hours >= self._rules.least_hours]


def numbered(tracks: Sequence[Track]) -> list[Track]:
    """Return tracks in the order in which they begin, named 0, 1, 2 and so on."""

    def beginning(track: Track) -> tuple[int, float, float]:
        return int(track.times[0]), float(track.latitude[0]), float(track.longitude[0])

    return [track.named(str(number)) for number, track in enumerate(sorted(tracks, key=beginning))]
