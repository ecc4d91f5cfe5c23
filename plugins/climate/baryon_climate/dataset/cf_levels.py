"""The vertical coordinate of a CF variable, told by its attributes before its name.

CF conventions 1.11, section 4.3: a vertical axis has `axis = "Z"`, `positive`, units of pressure,
or a standard name such as `air_pressure` or `height`. Hybrid levels (appendix D) are no pressures,
though models number them in hPa.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon_climate.dataset.unit_conversion import conversion

PRESSURE = "air_pressure"
VERTICAL = {PRESSURE, "height", "altitude", "depth", "geopotential_height", "model_level_number"}
"""Standard names; those of hybrid and sigma levels begin with one of `PARAMETRIC`."""
PARAMETRIC = ("atmosphere_", "ocean_")
PRESSURE_NAME = re.compile(r"(plev|level|lev|pressure|pressure_level|isobaric)\d*", re.IGNORECASE)
VERTICAL_NAME = re.compile(
    r"(plev|level|lev|ilev|pressure|isobaric|height|altitude|depth|hybrid|surface|sigma)\w*",
    re.IGNORECASE,
)
MOST_HPA = 1100.0
"""No level has a higher pressure: larger numbers without units are Pa."""
NEAR = 0.5
"""hPa that a level may be off the one asked for."""


@dataclass(frozen=True, eq=False)
class Levels:
    """The vertical coordinate of a variable."""

    name: str
    dimension: str | None
    """None: the coordinate is a scalar."""
    size: int
    pressures: npt.NDArray[np.float64] | None
    """hPa; None: they are heights, hybrid levels or of unknown kind."""
    kind: str
    """For people."""

    def number_of(self, pressure: float) -> int | None:
        """Return the place of a pressure (hPa) on the axis, None if it is not there."""
        if self.pressures is None:
            return None
        apart = np.abs(self.pressures - pressure)
        number = int(apart.argmin())
        return number if apart[number] < NEAR else None


def levels(dataset: Any, variable: Any, dimensions: Sequence[str]) -> Levels | None:
    """Return the vertical coordinate of a variable of an opened `xarray.Dataset`, if it has one.

    It is one of `dimensions` (the variable's, without time, latitude and longitude) or a scalar.
    An axis comes before a scalar, an axis of several levels before one of a single level.
    """
    coordinates = [variable[name] for name in dimensions] + _scalars(dataset, variable)
    vertical = [coordinate for coordinate in coordinates if _is_vertical(coordinate)]
    if not vertical:
        return None
    coordinate = max(vertical, key=lambda candidate: (candidate.size, candidate.ndim))
    return Levels(
        str(coordinate.name),
        str(coordinate.dims[0]) if coordinate.dims else None,
        int(coordinate.size),
        _pressures(coordinate),
        _kind(coordinate),
    )


def _scalars(dataset: Any, variable: Any) -> list[Any]:
    """Return the scalars that the variable itself names as its coordinates."""
    named = str(variable.encoding.get("coordinates", "")).split()
    return [dataset[name] for name in named if name in dataset.coords and not dataset[name].dims]


def _is_vertical(coordinate: Any) -> bool:
    attributes = coordinate.attrs
    name = str(attributes.get("standard_name", ""))
    return bool(
        attributes.get("axis") == "Z"
        or "positive" in attributes
        or name in VERTICAL
        or (name.startswith(PARAMETRIC) and "formula_terms" in attributes)
        or conversion(str(attributes.get("units", "")), "Pa") is not None
        or VERTICAL_NAME.fullmatch(str(coordinate.name))
    )


def _pressures(coordinate: Any) -> npt.NDArray[np.float64] | None:
    attributes = coordinate.attrs
    name = str(attributes.get("standard_name", ""))
    # hybrid levels are numbered near their pressure: 850.1 would be taken for 850 hPa
    if coordinate.dtype.kind not in "iuf" or "formula_terms" in attributes:
        return None
    if name.startswith(PARAMETRIC) or "hybrid" in str(attributes.get("long_name", "")).lower():
        return None
    values = np.atleast_1d(np.asarray(coordinate.values, float))
    if "units" in attributes:
        to_hpa = conversion(str(attributes["units"]), "hPa")
        return None if to_hpa is None else values * to_hpa[0] + to_hpa[1]
    if name == PRESSURE or PRESSURE_NAME.fullmatch(str(coordinate.name)):
        return values / (100 if values.max() > MOST_HPA else 1)
    return None


def _kind(coordinate: Any) -> str:
    """Describe the coordinate in a word or two."""
    attributes = coordinate.attrs
    words = attributes.get("standard_name") or attributes.get("long_name")
    return str(words or attributes.get("units") or "of unknown kind")
