"""Find tropical and extratropical cyclones: peaks of vorticity, and dips of pressure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from baryon_climate.classes import ETC, TC, TD
from baryon_climate.evaluator.frames import Floats
from baryon_climate.evaluator.heuristic.criteria import Criteria
from baryon_climate.evaluator.heuristic.surroundings import around, box_around, peaks
from baryon_climate.evaluator.heuristic.vorticity import vorticity
from baryon_climate.grid import Grid


@dataclass(frozen=True, slots=True)
class Candidate:
    """An event that meets the criteria."""

    number: int
    """Number of its class."""
    strength: float
    """Larger is surer; comparable only within a class."""
    box: list[float]
    row: int
    column: int


def tropical(fields: Mapping[str, Floats], grid: Grid, limits: Criteria) -> Iterator[Candidate]:
    """Find tropical cyclones and depressions.

    The criteria are TECA's, with means over a ring in place of its closed contours.

    A peak of cyclonic vorticity at 850 hPa, near it a low of sea-level pressure, a warm core aloft
    and a thick layer of air, all above what lies around. Where the wind reaches gale force it is
    a cyclone; a depression needs only the share `depression` of each.
    """
    rotation = vorticity(fields["U850"], fields["V850"], grid)
    # Cyclones turn the other way south of the equator: with the sign one search serves both
    # hemispheres.
    cyclonic = rotation * np.sign(grid.latitudes())[:, None]
    cyclonic[np.abs(grid.latitudes()) > limits.tropics] = 0.0
    speed = np.hypot(fields["UBOT"], fields["VBOT"])
    warmth = (fields["T200"] + fields["T500"]) / 2
    thickness = fields["Z200"] - fields["Z1000"]
    weakest = limits.depression * limits.vorticity
    radius = max(limits.pressure_radius, limits.warm_core_radius, limits.thickness_radius)
    for row, column in peaks(cyclonic, grid, weakest, limits.pressure_radius):
        patch = around(grid, row, column, radius + 1)
        drop = patch.ring(fields["PSL"], limits.pressure_radius) - patch.extreme(
            fields["PSL"], limits.pressure_radius, low=True
        )
        warm = patch.extreme(warmth, limits.warm_core_radius, low=False) - patch.ring(
            warmth, limits.warm_core_radius
        )
        thick = patch.extreme(thickness, limits.thickness_radius, low=False) - patch.ring(
            thickness, limits.thickness_radius
        )
        reached = min(
            cyclonic[row, column] / limits.vorticity,
            drop / limits.pressure_drop,
            warm / limits.warm_core,
            thick / limits.thickness,
        )
        # The weakest of the criteria decides: all of them must be met.
        if reached < limits.depression:
            continue
        strongest = patch.extreme(speed, limits.pressure_radius, low=False)
        gale = reached >= 1 and strongest >= limits.wind
        radii = np.arange(0.5, radius + 0.5, 0.5)
        calm = min(limits.wind, 0.6 * strongest) if gale else 0.6 * strongest
        extent = _falls_below(patch.profile(speed, radii), radii, calm)
        box = box_around(grid, row, column, extent)
        yield Candidate(TC if gale else TD, reached, box, row, column)


def extratropical(
    fields: Mapping[str, Floats], grid: Grid, limits: Criteria
) -> Iterator[Candidate]:
    """Find dips of sea-level pressure outside the tropics."""
    radius = limits.storm_pressure_radius
    pressure = fields["PSL"]
    outside = np.abs(grid.latitudes()) >= limits.storm_latitude
    # Turned over, for `peaks` looks for maxima alone.
    depth = np.where(outside[:, None], pressure.max() - pressure, 0.0)
    for row, column in peaks(depth, grid, limits.storm_pressure_drop, radius):
        patch = around(grid, row, column, radius + 1)
        drop = patch.ring(pressure, radius) - pressure[row, column]
        if drop < limits.storm_pressure_drop:
            continue
        radii = np.arange(0.5, radius + 0.5, 0.5)
        rise = patch.profile(pressure, radii) - pressure[row, column]
        extent = _falls_below(-rise, radii, -0.6 * drop)
        box = box_around(grid, row, column, extent)
        yield Candidate(ETC, drop / limits.storm_pressure_drop, box, row, column)


def _falls_below(profile: Floats, radii: Floats, level: float) -> float:
    """Return the first radius beyond the profile's maximum that is below a level, else the last."""
    top = int(np.argmax(profile))
    below = np.flatnonzero(profile[top:] < level)
    return float(radii[top + below[0]] if len(below) else radii[-1])
