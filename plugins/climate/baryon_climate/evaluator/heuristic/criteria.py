"""Limits of the criteria, from the config."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields

from baryon.errors import BaryonError


@dataclass(frozen=True, slots=True)
class Criteria:
    """Limits of the criteria, all above 0.

    Distances are in degrees of arc. `conf/evaluator/climate_boxes.yaml` explains each number.
    """

    vorticity: float
    pressure_drop: float
    pressure_radius: float
    warm_core: float
    warm_core_radius: float
    thickness: float
    thickness_radius: float
    wind: float
    depression: float
    tropics: float
    storm_pressure_drop: float
    storm_pressure_radius: float
    storm_latitude: float
    vapour: float
    vapour_excess: float
    river_latitude: float
    river_length: float
    river_width: float


def criteria(values: Mapping[str, float]) -> Criteria:
    """Check limits from the config. Raises `BaryonError` for an unknown or missing one, or 0."""
    names = [field.name for field in fields(Criteria)]
    for name, value in values.items():
        if name not in names:
            # a misspelt limit would else leave the default in force without a word
            near = difflib.get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise BaryonError(
                f"evaluator climate_boxes: heuristic has no {name!r}; {hint}choose from: "
                f"{', '.join(names)}"
            )
        if value <= 0:
            raise BaryonError(f"evaluator climate_boxes: heuristic.{name}={value} must be above 0")
    missing = [name for name in names if name not in values]
    if missing:
        raise BaryonError(f"evaluator climate_boxes: heuristic needs {', '.join(missing)}")
    return Criteria(**values)
