"""The boxes of a frame, read off its finished fields.

A storm in a jet or over another low looks larger or smaller than it was drawn, and on a coarse
grid its strongest wind falls between the points: a detector sees what is in the fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon_climate.classes import AR, ETC, TC, TD
from baryon_climate.fields import index
from baryon_climate.generation import mean_state
from baryon_climate.generation.extent import box, connected
from baryon_climate.generation.patch import Patch
from baryon_climate.generation.rivers import Course
from baryon_climate.generation.storms import GALE
from baryon_climate.grid import Grid, distance

Numbers = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
BOXES = 15
"""Rows for boxes of a frame, as in ExtremeWeather's files."""
SHORTEST_RIVER = 1500.0
"""km; shorter ones are moist air like any other."""


@dataclass(frozen=True)
class Mark:
    """A storm that gets a box, with what is needed to read it off the fields."""

    kind: int
    patch: Patch
    drawn: Any
    """What was drawn: the storm's wind (m/s), distances in its radii (ETC) or a river's course."""
    core: Mask
    strength: float
    """m/s, Pa or kg/m2."""


def read_boxes(
    marks: Sequence[Mark], images: Numbers, grid: Grid, summer: float
) -> npt.NDArray[np.int32]:
    """Return the boxes (15, 5) of ymin, xmin, ymax, xmax, class; unused rows are -1.

    `summer` is the season, as `mean_state.season` counts it.
    """
    boxes = np.full((BOXES, 5), -1, np.int32)
    count = 0
    for drawn in marks:
        mark = _as_it_looks(drawn, images)
        edges = box(mark.patch, _region(mark, images, grid, summer), grid.height, grid.width)
        short = mark.kind == AR and edges is not None and _length(grid, edges) < SHORTEST_RIVER
        if edges is not None and not short and count < BOXES:
            boxes[count] = (*edges, mark.kind)
            count += 1
    return boxes


def _as_it_looks(mark: Mark, images: Numbers) -> Mark:
    """Call a tropical storm a cyclone if there are gales near its centre, else a depression."""
    if mark.kind not in (TC, TD):
        return mark
    strongest = float(_speed(mark, images)[mark.core].max())
    return replace(mark, kind=TC if strongest >= GALE else TD, strength=strongest)


def _speed(mark: Mark, images: Numbers) -> Numbers:
    east, north = (mark.patch.of(images[index(name)]) for name in ("U850", "V850"))
    return np.asarray(np.hypot(east, north), np.float32)


def _region(mark: Mark, images: Numbers, grid: Grid, summer: float) -> Mask:
    """Return what belongs to a storm: gales, winds near its own, a deep isobar, or much vapour."""
    if mark.kind == AR:
        return _river(mark, mark.patch.of(images[index("TMQ")]), grid, summer)
    if mark.kind == ETC:
        pressure = mark.patch.of(images[index("PSL")])
        deepest = float(pressure[mark.core].min())
        deep = (pressure < deepest + 0.55 * mark.strength) & (mark.drawn < 2.0)
        return connected(deep | mark.core, mark.core)
    least = GALE if mark.kind == TC else 0.6 * mark.strength
    windy = (_speed(mark, images) >= least) & (mark.drawn >= 0.5 * least)
    return connected(windy | mark.core, mark.core)


def _river(mark: Mark, vapour: Numbers, grid: Grid, summer: float) -> Mask:
    run: Course = mark.drawn
    # against the mean of the season: against the year's, rivers of summer would be larger
    usual = mean_state.vapour(grid.latitudes()[mark.patch.rows][:, None], summer)
    # moist air of the tropics touches the river's tail: without a limit it would all belong to it
    near = run.distance < 4.4 * max(float(run.distance[mark.core].max(initial=1)), 1.0)
    much = (vapour > usual + 0.4 * mark.strength) & near & (run.envelope > 0.3)
    return connected(much, mark.core)


def _length(grid: Grid, edges: tuple[int, int, int, int]) -> float:
    """Return the distance from corner to corner of a box, in km."""
    south, north = grid.latitudes(np.array([edges[0], edges[2]]))
    west, east = grid.longitudes(np.array([edges[1], edges[3]]))
    return float(distance(south, west, north, east))
