"""Find atmospheric rivers: long and narrow bands of moist air outside the tropics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

from baryon_climate.classes import AR
from baryon_climate.evaluator.frames import Floats
from baryon_climate.evaluator.heuristic.criteria import Criteria
from baryon_climate.evaluator.heuristic.storms import Candidate
from baryon_climate.grid import Grid, distance

POLAR = 60.0
"""Degrees of latitude beyond which moist bands are not called rivers."""


def rivers(fields: Mapping[str, Floats], grid: Grid, limits: Criteria) -> Iterator[Candidate]:
    """Find connected moist regions that are long and narrow (Ralph et al., 2004).

    Their limits: 2 cm of water, at least 2000 km long, at most 1000 km wide.

    The air must also be moister than usual at its latitude: than the mean of the circle of latitude
    and a share of the moistest place's excess over it (Zhu and Newell, 1998, who take 0.3 of
    fluxes).

    The length is that of the diagonal of the region's box on the sphere, the width its area over
    the length. A region across the seam of a cyclic frame is one.
    """
    latitude = np.abs(grid.latitudes())
    band = (latitude >= limits.river_latitude) & (latitude <= POLAR)
    vapour = fields["TMQ"]
    usual = vapour.mean(axis=1, keepdims=True)
    above = limits.vapour_excess * (vapour.max(axis=1, keepdims=True) - usual)
    moist = (vapour >= np.maximum(limits.vapour, usual + above)) & band[:, None]
    start = _driest_column(moist) if grid.cyclic else 0
    regions, _ = label(np.roll(moist, -start, axis=1), np.ones((3, 3)))
    for number, (rows, columns) in enumerate(find_objects(regions), start=1):
        inside = regions[rows, columns] == number
        area = float((inside.sum(axis=1) * grid.cell_areas()[rows]).sum())
        first, last = columns.start + start, columns.stop + start
        length = float(
            distance(
                float(grid.latitudes(rows.start)),
                float(grid.longitudes(first)),
                float(grid.latitudes(rows.stop - 1)),
                float(grid.longitudes(last - 1)),
            )
        )
        if length < limits.river_length or area / length > limits.river_width:
            continue
        if (last - first) * abs(grid.longitude_step) > 180:
            continue  # a moist belt around half of the globe is no river
        turn = grid.width if first >= grid.width else 0
        box = [float(rows.start), float(first - turn), float(rows.stop), float(last - turn)]
        middle = (rows.start + rows.stop) // 2, (first + last) // 2 % grid.width
        yield Candidate(AR, length / limits.river_length, box, *middle)


def _driest_column(moist: NDArray[np.bool_]) -> int:
    """Return the column at which to cut a cyclic frame open, so that few regions are cut."""
    return int(np.argmin(moist.sum(axis=0)))
