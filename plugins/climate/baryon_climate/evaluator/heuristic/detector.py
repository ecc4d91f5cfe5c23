"""Apply all criteria to one frame."""

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
    """Return the boxes of events that meet the criteria, the strongest first.

    `fields` holds the 16 channels (H, W) by name, in their units.
    """
    cyclones = list(tropical(fields, grid, limits))
    storms = [
        storm
        for storm in extratropical(fields, grid, limits)
        if not any(_same(storm, other, grid, limits) for other in cyclones)
    ]
    events = sorted([*cyclones, *storms, *rivers(fields, grid, limits)], key=lambda e: -e.strength)
    return Boxes(
        np.array([event.box for event in events], np.float32).reshape(-1, 4),
        np.array([event.number for event in events], np.int64),
        np.array([event.strength for event in events], np.float32),
    )


def _same(storm: Candidate, other: Candidate, grid: Grid, limits: Criteria) -> bool:
    """Return whether a storm is the same dip of pressure as a tropical cyclone `other`."""
    apart = distance(
        float(grid.latitudes(storm.row)),
        float(grid.longitudes(storm.column)),
        float(grid.latitudes(other.row)),
        float(grid.longitudes(other.column)),
    )
    return other.number == TC and bool(apart < limits.pressure_radius * KM_A_DEGREE)
