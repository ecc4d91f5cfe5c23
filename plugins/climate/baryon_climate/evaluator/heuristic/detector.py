"""All criteria on one frame."""

from __future__ import annotations

import numpy as np

from baryon_climate.classes import TC
from baryon_climate.evaluator.frames import Boxes, Floats
from baryon_climate.evaluator.heuristic.criteria import Criteria
from baryon_climate.evaluator.heuristic.rivers import rivers
from baryon_climate.evaluator.heuristic.storms import Candidate, extratropical, tropical
from baryon_climate.evaluator.heuristic.surroundings import KM_A_DEGREE
from baryon_climate.grid import Grid, distance


def detect_by_criteria(fields: dict[str, Floats], grid: Grid, limits: Criteria) -> Boxes:
    """The events that meet the criteria, the strongest of each class first."""
    cyclones = list(tropical(fields, grid, limits))
    storms = [
        storm
        for storm in extratropical(fields, grid, limits)
        if not any(_same(storm, other, grid, limits) for other in cyclones)
    ]
    every = sorted([*cyclones, *storms, *rivers(fields, grid, limits)], key=lambda c: -c.strength)
    return Boxes(
        np.array([one.box for one in every], np.float32).reshape(-1, 4),
        np.array([one.number for one in every], np.int64),
        np.array([one.strength for one in every], np.float32),
    )


def _same(storm: Candidate, other: Candidate, grid: Grid, limits: Criteria) -> bool:
    """A dip of pressure that is a tropical cyclone is not an extratropical one too."""
    apart = distance(
        float(grid.latitudes(storm.row)),
        float(grid.longitudes(storm.column)),
        float(grid.latitudes(other.row)),
        float(grid.longitudes(other.column)),
    )
    return other.number == TC and bool(apart < limits.pressure_radius * KM_A_DEGREE)
