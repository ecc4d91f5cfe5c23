"""The regular grid of a CF variable, and how to turn its rows and columns into Baryon's order.

Frames have the south first and run eastward; those of the whole circle begin at 0 degrees east (or
at the first column east of it) and have each meridian once. So one world gives the same frames
whether it was stored north first, westward, from -180 degrees on, or with 0 and 360 degrees both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError
from baryon_climate.grid import Grid
from baryon_climate.storms import FileOrder

UNEVEN = 0.25
"""Share of a pixel that rows and columns may be off a regular grid."""
AXES = {
    "latitude": (re.compile(r"degrees?_?n(orth)?", re.IGNORECASE), ("lat", "latitude")),
    "longitude": (re.compile(r"degrees?_?e(ast)?", re.IGNORECASE), ("lon", "longitude")),
}
"""The units that CF allows for each, and usual names."""
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FileGrid:
    """The axes of a file and where its rows and columns go in a frame."""

    latitude: str
    """Dimension of the rows."""
    longitude: str
    grid: Grid
    order: FileOrder

    def arrange(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return (..., rows, columns) of a file in the order of frames."""
        if self.order.rows[0] > 0:  # the north is first
            values = values[..., ::-1, :]
        columns = self.order.columns
        as_they_come = np.array_equal(columns, np.arange(values.shape[-1]))
        return values if as_they_come else values[..., columns]


def file_grid(dataset: Any, variable: Any, where: str) -> FileGrid:
    """Find the horizontal axes of a variable. Raises `BaryonError` for other than regular grids."""
    latitude, longitude = (_axis(dataset, variable, kind, where) for kind in AXES)
    north = np.asarray(dataset[latitude].values, float)
    first, step, north_first = _regular(north, f"{where}: {latitude}")
    # longitudes may jump from 359 to 0, or from 180 to -180, anywhere
    east = np.rad2deg(np.unwrap(np.deg2rad(np.asarray(dataset[longitude].values, float))))
    west, across, westward = _regular(east, f"{where}: {longitude}")
    columns = np.arange(len(east))[:: -1 if westward else 1]
    round_the_globe = round(360 / across)
    cyclic = len(columns) >= round_the_globe and abs(round_the_globe * across - 360) < 0.5 * across
    if cyclic:
        # one world then gives the same frames and boxes however it is stored, and files that run
        # from 180 degrees west join others; `FileOrder` leads back to the file's own columns
        columns, west = _from_greenwich(columns[:round_the_globe], west, across)
    grid = Grid(len(north), len(columns), first, step, west % 360, across, cyclic)
    rows = np.arange(len(north))
    return FileGrid(
        latitude, longitude, grid, FileOrder(rows[::-1] if north_first else rows, columns)
    )


def _from_greenwich(
    columns: npt.NDArray[np.int64], west: float, step: float
) -> tuple[npt.NDArray[np.int64], float]:
    """Turn the circle so that it begins at the first column from 0 degrees east on."""
    degrees = (west + step * np.arange(len(columns))) % 360
    degrees[degrees > 360 - 0.01 * step] = 0  # 359.99999 is 0 in float32
    begin = int(np.argmin(degrees))
    return np.roll(columns, -begin), float(degrees[begin])


def _axis(dataset: Any, variable: Any, kind: str, where: str) -> str:
    """Return the name of the variable's axis of this kind."""
    units, names = AXES[kind]
    dims = [str(name) for name in variable.dims]
    axes = [
        name
        for name in dims
        if name in dataset.coords
        and (
            dataset[name].attrs.get("standard_name") == kind
            or units.fullmatch(str(dataset[name].attrs.get("units", "")))
            or name.lower() in names
        )
    ]
    if len(axes) != 1:
        raise BaryonError(
            f"{where}: {variable.name} has the axes {', '.join(dims) or 'none'}, none of which is "
            f"the {kind}: it needs an axis with units 'degrees_{_POLE[kind]}'; remap other grids "
            "first, with cdo remapbil,r1152x768 for example"
        )
    return axes[0]


_POLE = {"latitude": "north", "longitude": "east"}


def _regular(values: Values, where: str) -> tuple[float, float, bool]:
    """Return the least value, the step, and whether the values descend.

    Raises `BaryonError` if they are not evenly spaced.
    """
    if len(values) < 2:
        raise BaryonError(f"{where} has {len(values)} values: a grid needs more")
    descending = bool(values[0] > values[-1])
    if descending:
        values = values[::-1]
    step = float(values[-1] - values[0]) / (len(values) - 1)
    apart = np.abs(values - (values[0] + step * np.arange(len(values)))).max()
    if not step > 0 or not apart <= UNEVEN * step:
        raise BaryonError(
            f"{where} is not evenly spaced (off by {apart:.3g} degrees): remap to a regular grid "
            "first, with cdo remapbil,r1152x768 for example"
        )
    return float(values[0]), step, descending


def same_grid(first: Grid, other: Grid) -> bool:
    """Return whether two grids are the same, up to the rounding of degrees as float32."""
    if (first.height, first.width, first.cyclic) != (other.height, other.width, other.cyclic):
        return False
    near = 0.01 * first.latitude_step
    east = (first.longitude - other.longitude + 180) % 360 - 180
    return (
        abs(first.latitude - other.latitude) < near
        and abs(first.latitude_step - other.latitude_step) * first.height < near
        and abs(east) < near
        and abs(first.longitude_step - other.longitude_step) * first.width < near
    )
