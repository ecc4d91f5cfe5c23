"""Boxes around the storms of a track file, by stated rules.

Class: an extratropical fix is an ETC, whatever its wind. Any other is a TC from `cyclone_knots` on,
a TD below. Disturbances and lows are no storms, and a fix without wind is of no known class: both
are left out, as is what is weaker than `least_knots`.

Size: half a side is the mean radius of winds of 34 knots where the file has it, else that of a
typical cyclone of this wind and latitude (`wind_radius`), and at least `least_km`, for an ETC
`etc_km`. The box is square in km.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from pathlib import Path

from baryon.errors import BaryonError
from baryon.terminal.console import say
from baryon_climate.classes import ETC, TC, TD
from baryon_climate.dataset.listed_box import ListedBox
from baryon_climate.grid import EARTH_RADIUS
from baryon_climate.tracks.fix import KNOT, Fix, Nature
from baryon_climate.tracks.wind_radius import gale_radius

KM_PER_DEGREE = math.radians(EARTH_RADIUS)
ROUNDING = 1e-6
"""m/s: 34 knots read from a file are 34 knots."""


@dataclass(frozen=True, slots=True)
class BoxRules:
    """How fixes become boxes; `conf/dataset/climate_netcdf.yaml` explains each."""

    agency: str
    cyclone_knots: float
    least_knots: float
    least_km: float
    etc_km: float

    def __post_init__(self) -> None:
        """Raise `BaryonError` for sizes that are none."""
        for name in ("cyclone_knots", "least_km", "etc_km"):
            if not 0 < getattr(self, name) < EARTH_RADIUS:
                raise BaryonError(f"dataset.tracks.{name}={getattr(self, name):g} must be above 0")
        if self.least_knots < 0:
            raise BaryonError(f"dataset.tracks.least_knots={self.least_knots:g} must be 0 or more")


def box_rules(values: Mapping[str, str | float]) -> BoxRules:
    """Check rules from the config. Raises `BaryonError` for an unknown or missing one."""
    names = [field.name for field in fields(BoxRules)]
    unknown = [name for name in values if name not in names]
    if unknown or len(values) < len(names):
        raise BaryonError(f"dataset.tracks has {', '.join(values)}; it needs {', '.join(names)}")
    numbers = {name: _number(name, values[name]) for name in names if name != "agency"}
    return BoxRules(agency=str(values["agency"]), **numbers)


def _number(name: str, value: str | float) -> float:
    if isinstance(value, str | bool):
        raise BaryonError(f"dataset.tracks.{name}={value} must be a number")
    return float(value)


def boxes_of(path: Path, fixes: Sequence[Fix], rules: BoxRules) -> list[ListedBox]:
    """Return the boxes of fixes; say how many fixes get none, and why."""
    classes = [_class(fix, rules) for fix in fixes]
    left_out = [reason for reason in classes if isinstance(reason, str)]
    if left_out:
        counts = ", ".join(
            f"{len(list(same)):,} {reason}" for reason, same in groupby(sorted(left_out))
        )
        say(f"{path}: {len(left_out):,} of {len(fixes):,} lines give no box: {counts}")
    pairs = zip(fixes, classes, strict=True)
    return [_box(fix, kind, rules) for fix, kind in pairs if isinstance(kind, int)]


def _class(fix: Fix, rules: BoxRules) -> int | str:
    """Return the class of a fix, or why it has none."""
    if fix.kind is not None:
        return fix.kind
    if fix.nature is Nature.DISTURBANCE:
        return "of disturbances"
    if fix.nature is Nature.EXTRATROPICAL:
        weak = not math.isnan(fix.wind) and fix.wind < rules.least_knots * KNOT - ROUNDING
        return "too weak" if weak else ETC
    if math.isnan(fix.wind):
        return "without wind"
    if fix.wind < rules.least_knots * KNOT - ROUNDING:
        return "too weak"
    return TC if fix.wind >= rules.cyclone_knots * KNOT - ROUNDING else TD


def _box(fix: Fix, kind: int, rules: BoxRules) -> ListedBox:
    least = rules.etc_km if kind == ETC else rules.least_km
    radius = max(_radius(fix), least)
    north = radius / KM_PER_DEGREE
    south_side, north_side = max(fix.latitude - north, -90.0), min(fix.latitude + north, 90.0)
    # near the pole a circle of this radius holds all meridians
    east = min(north / max(math.cos(math.radians(fix.latitude)), 1e-3), 180.0)
    # a west below 0 turns into one on the other side, so that east stays within its limits
    west = (fix.longitude - east) % 360.0
    return ListedBox(fix.place, fix.moment, kind, (south_side, west, north_side, west + 2 * east))


def _radius(fix: Fix) -> float:
    if not math.isnan(fix.gale_radius):
        return fix.gale_radius
    return 0.0 if math.isnan(fix.wind) else gale_radius(fix.wind, fix.latitude)
