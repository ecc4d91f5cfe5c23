"""The storms of a year: where and when they are born, how they move, grow and decay.

All random numbers of a storm are drawn at its birth, so its state is known at any time by itself.
Rates and speeds are rough figures of the field's textbooks (as remembered), chosen so that the
mix of classes resembles the public data set's (ETC 46 %, TC 39 %, TD 9 %, AR 5 %, as remembered).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from baryon_climate.classes import ETC, TC, TD
from baryon_climate.grid import distance

DAY = 86400.0
STEP_DAYS = 0.25
KM_PER_DEGREE = 111.2
GALE = 17.5
"""m/s: a tropical cyclone has gales, a depression has none (WMO)."""
UNKNOWN = np.empty((0, 2))
MOST = 14
"""Storms and rivers at a time; a frame has room for 15 boxes."""


@dataclass(frozen=True, slots=True)
class Basin:
    """Where tropical cyclones are born."""

    west: float
    east: float
    south: float
    north: float
    share: float
    peak_day: float


BASINS = (
    Basin(125, 165, 7, 18, 0.32, 240),
    Basin(238, 265, 9, 16, 0.18, 230),
    Basin(305, 342, 9, 18, 0.14, 255),
    Basin(62, 92, 8, 15, 0.06, 300),
    Basin(50, 105, -16, -7, 0.17, 30),
    Basin(150, 200, -18, -8, 0.13, 45),
)
TRACKS = ((140, 205, 33, 50, 0.27), (282, 340, 35, 52, 0.25), (0, 360, -55, -36, 0.48))
"""Birth places of extratropical cyclones: west, east, south, north, share."""


@dataclass(frozen=True, slots=True)
class River:
    """An atmospheric river that an extratropical cyclone draws out of the subtropics."""

    length: float
    """km."""
    width: float
    """km from the axis to 1/e."""
    vapour: float
    """kg/m2 above the surroundings."""
    wind: float
    """m/s along the axis."""
    bend: float


@dataclass(frozen=True, slots=True)
class Storm:
    """A storm's whole life. Times in days from the beginning of the year."""

    tropical: bool
    birth: float
    life: float
    latitude: float
    longitude: float
    eastward: float
    """m/s, at birth."""
    poleward: float
    turn: float
    """Latitude, without sign, where a tropical cyclone turns east."""
    strength: float
    """Largest wind, m/s, of a tropical one; largest depth, Pa, of an extratropical one."""
    radius: float
    """km: of the largest wind; of an extratropical one the scale of its pressure field."""
    shape: float
    """Holland's B; the elongation of an extratropical one."""
    angle: float
    river: River | None
    track: npt.NDArray[np.float64]
    """(steps, 2) latitude and longitude every `STEP_DAYS` from birth; longitudes beyond 360 too."""

    @property
    def side(self) -> int:
        """1 on the northern hemisphere, -1 on the southern one."""
        return 1 if self.latitude >= 0 else -1

    def age(self, day: float) -> float:
        """Return the part of its life that is over: 0 at birth, 1 at the end."""
        return (day - self.birth) / self.life

    def alive(self, day: float) -> bool:
        """Return whether the storm exists at this time."""
        return 0 < self.age(day) < 1

    def growth(self, day: float) -> float:
        """Return its strength from 0 to 1 and back; the peak is at 55 % of the life."""
        age = self.age(day)
        skewed = age ** (np.log(0.5) / np.log(0.55))
        return float(np.sin(np.pi * np.clip(skewed, 0, 1)) ** 1.3)

    def place(self, day: float) -> tuple[float, float]:
        """Return latitude and longitude of the centre."""
        steps = (day - self.birth) / STEP_DAYS
        latitude, longitude = (
            float(np.interp(steps, np.arange(len(self.track)), column)) for column in self.track.T
        )
        return latitude, longitude % 360

    def velocity(self, day: float) -> tuple[float, float]:
        """Return how the centre moves: eastward and northward, m/s."""
        return _speed(self, self.place(day)[0])

    def kind(self, strength: float) -> int | None:
        """Return its class at a strength (Pa or m/s), None if it is too weak for a storm."""
        if not self.tropical:
            return ETC if strength >= 900 else None
        if strength >= GALE:
            return TC
        return TD if strength >= 9 else None


def storms(random: np.random.Generator, days: float = 365.0) -> list[Storm]:
    """Draw the storms of a year, in the order of birth.

    Some are born before it begins. Left out are those that would be too many at a time, or would
    come so near to an older one that the two would be one.
    """
    first = -12.0  # days; the longest life is 11
    span = days - first
    born = [
        *(_cyclone(random, first, span) for _ in range(random.poisson(0.9 * span))),
        *(_depression(random, first, span) for _ in range(random.poisson(0.35 * span))),
        *(_extratropical(random, first, span) for _ in range(random.poisson(2.2 * span))),
    ]
    boxes_at = np.zeros(int((days + 20 - first) / STEP_DAYS), int)
    chosen: list[Storm] = []
    for storm in sorted(born, key=lambda candidate: candidate.birth):
        start = int((storm.birth - first) / STEP_DAYS)
        # a view: adding to it below counts the storm's boxes in `boxes_at`
        alive = boxes_at[start : start + len(storm.track)]
        boxes = 1 if storm.river is None else 2
        if (alive + boxes <= MOST).all() and not any(_meet(storm, old) for old in chosen[-40:]):
            alive += boxes
            chosen.append(storm)
    return chosen


def _meet(storm: Storm, older: Storm) -> bool:
    """Return whether two storms come nearer than 900 km, 1600 km if both are large."""
    shift = round((storm.birth - older.birth) / STEP_DAYS)
    count = min(len(older.track) - shift, len(storm.track))
    if count <= 0 or storm.side != older.side:
        return False
    track, other = storm.track[:count:4], older.track[shift : shift + count : 4]
    apart = distance(track[:, 0], track[:, 1], other[:, 0], other[:, 1])
    return bool(apart.min() < (900 if storm.tropical or older.tropical else 1600))


def _speed(storm: Storm, latitude: float) -> tuple[float, float]:
    """Return how a storm moves at a latitude: eastward and northward, m/s."""
    if not storm.tropical:
        slowing = 1 - 0.5 * min(max((abs(latitude) - 55) / 15, 0), 1)
        return storm.eastward * slowing, storm.side * storm.poleward * slowing
    beyond = min(max((abs(latitude) - storm.turn) / 8, -1), 1.5)
    turned = 0.5 * (1 + math.tanh(2 * beyond))
    east = storm.eastward * (1 - turned) + 9 * turned
    return east, storm.side * storm.poleward * (1 + 1.5 * turned)


def _walked(storm: Storm) -> Storm:
    """Return the storm with its track."""
    # in steps of six hours: speed depends on the latitude that the storm has reached
    latitude, longitude = storm.latitude, storm.longitude
    track = [(latitude, longitude)]
    for _ in range(math.ceil(storm.life / STEP_DAYS)):
        east, north = _speed(storm, latitude)
        degrees = STEP_DAYS * DAY / 1000 / KM_PER_DEGREE
        latitude = min(max(latitude + north * degrees, -72), 72)
        longitude += east * degrees / math.cos(math.radians(latitude))
        track.append((latitude, longitude))
    return replace(storm, track=np.array(track))


def _season(
    random: np.random.Generator, first: float, span: float, peak: float, always: float
) -> float:
    """Draw a time, most likely near the peak day; `always` is the rate half a year from it."""
    while True:
        day = first + span * random.random()
        if random.random() < always + (1 - always) * np.cos(np.pi * (day - peak) / 365) ** 2:
            return day


def _cyclone(random: np.random.Generator, first: float, span: float) -> Storm:
    basin = BASINS[int(random.choice(len(BASINS), p=[basin.share for basin in BASINS]))]
    return _tropical(random, basin, _season(random, first, span, basin.peak_day, 0.06), 19, 68)


def _depression(random: np.random.Generator, first: float, span: float) -> Storm:
    basin = BASINS[int(random.choice(len(BASINS), p=[basin.share for basin in BASINS]))]
    return _tropical(random, basin, _season(random, first, span, basin.peak_day, 0.06), 10.5, 17.2)


def _tropical(
    random: np.random.Generator, basin: Basin, birth: float, weakest: float, strongest: float
) -> Storm:
    wind = weakest + (strongest - weakest) * random.beta(1.3, 2.0)
    return _walked(
        Storm(
            tropical=True,
            birth=birth,
            life=random.uniform(5, 11) if weakest > GALE else random.uniform(2.5, 5.5),
            latitude=random.uniform(basin.south, basin.north),
            longitude=random.uniform(basin.west, basin.east) % 360,
            eastward=random.normal(-4.5, 1.2),
            poleward=random.uniform(0.7, 2.3),
            turn=random.uniform(20, 29),
            strength=wind,
            radius=random.uniform(55, 110),
            shape=random.uniform(1.1, 1.6),
            angle=random.uniform(0, 2 * np.pi),
            river=None,
            track=UNKNOWN,
        )
    )


def _extratropical(random: np.random.Generator, first: float, span: float) -> Storm:
    west, east, south, north, _ = TRACKS[
        int(random.choice(len(TRACKS), p=[track[4] for track in TRACKS]))
    ]
    winter = 15 if south > 0 else 197
    return _walked(
        Storm(
            tropical=False,
            birth=_season(random, first, span, winter, 0.4),
            life=random.uniform(3, 6),
            latitude=random.uniform(south, north),
            longitude=random.uniform(west, east) % 360,
            eastward=random.normal(11, 2.5),
            poleward=random.uniform(1, 3.5),
            turn=0,
            strength=random.uniform(1500, 5200),
            radius=random.uniform(380, 720),
            shape=random.uniform(1.0, 1.5),
            angle=random.uniform(-0.6, 0.6),
            river=_river(random) if random.random() < 0.3 else None,
            track=UNKNOWN,
        )
    )


def _river(random: np.random.Generator) -> River:
    return River(
        length=random.uniform(2400, 4600),
        width=random.uniform(190, 320),
        vapour=random.uniform(12, 24),
        wind=random.uniform(9, 18),
        bend=random.uniform(-0.25, 0.45),
    )
