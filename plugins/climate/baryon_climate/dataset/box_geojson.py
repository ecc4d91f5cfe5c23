"""Boxes in GeoJSON (RFC 7946): features with the properties `time` and `class`.

A box is the bounds of its geometry, which section 3.1.9 splits at the antimeridian.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from baryon.errors import BaryonError
from baryon.system.plain_data import parse_json
from baryon_climate.dataset.listed_box import (
    ListedBox,
    event_class,
    moment,
    require_degrees,
)

ANTIMERIDIAN = 180.0
Ring = Sequence[tuple[float, float]]
"""Longitude and latitude of its corners."""


def read_geojson(path: Path, first_class: int) -> list[ListedBox]:
    """Return the boxes of a file in degrees. Raises `BaryonError` naming the feature at fault."""
    try:
        collection = parse_json(path.read_text(encoding="utf-8-sig"))
        features = collection["features"]
        if not isinstance(features, list):
            raise TypeError("its features are no list")
    except (ValueError, KeyError, TypeError) as error:
        reason = "no features" if isinstance(error, KeyError) else str(error)
        raise BaryonError(
            f"{path} is no GeoJSON collection of features ({reason[:200]})"
        ) from error
    return list(_boxes(path, features, first_class))


def _boxes(path: Path, features: Sequence[Any], first_class: int) -> Iterator[ListedBox]:
    for number, feature in enumerate(features):
        place = f"feature {number}"
        try:
            feature = _mapping("it", feature)
            properties = _mapping("properties", feature.get("properties"))
            sides = _bounds(_mapping("geometry", feature.get("geometry")))
            kind = event_class(_text("class", properties), first_class)
            yield ListedBox(place, moment(_text("time", properties)), kind, sides)
        except ValueError as error:
            raise BaryonError(
                f"{path}: {place} cannot be read ({error}); it needs the properties time and "
                "class, and a Polygon or MultiPolygon"
            ) from error


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is no object")
    return value


def _text(name: str, properties: Mapping[str, Any]) -> str:
    value = properties.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{name} is neither text nor a number")
    return value if isinstance(value, str) else repr(value)


def _bounds(geometry: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """Return south, west, north, east; east is beyond 180 where parts meet at the antimeridian."""
    rings = _rings(geometry)
    west = min(x for ring in rings for x, _ in ring)
    east = max(x for ring in rings for x, _ in ring)
    # two parts that touch the antimeridian from both sides are one box across it
    if len(rings) > 1 and west == -ANTIMERIDIAN and east == ANTIMERIDIAN:
        west = min(x for ring in rings if _eastmost(ring) == ANTIMERIDIAN for x, _ in ring)
        east = 360 + max(x for ring in rings if _westmost(ring) == -ANTIMERIDIAN for x, _ in ring)
        if east - west > 360:
            west, east = -ANTIMERIDIAN, ANTIMERIDIAN  # the parts overlap: it is the whole circle
    south = min(y for ring in rings for _, y in ring)
    north = max(y for ring in rings for _, y in ring)
    require_degrees(south, west, north, east)
    return south, west, north, east


def _eastmost(ring: Ring) -> float:
    return max(x for x, _ in ring)


def _westmost(ring: Ring) -> float:
    return min(x for x, _ in ring)


def _rings(geometry: Mapping[str, Any]) -> list[Ring]:
    """Return the outer ring of each polygon."""
    shapes, kind = geometry.get("coordinates"), geometry.get("type")
    if kind == "Polygon":
        shapes = [shapes]
    elif kind != "MultiPolygon":
        raise ValueError(f"its geometry is no Polygon or MultiPolygon but {ascii(kind)[:40]}")
    return [_ring(_list(shape)[0]) for shape in _list(shapes)]


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list) or not value:
        raise ValueError("its coordinates are no rings of positions")
    return value


def _ring(positions: Any) -> Ring:
    return [_position(position) for position in _list(positions)]


def _position(position: Any) -> tuple[float, float]:
    """Read longitude and latitude; a height may follow."""
    numbers = _list(position)
    if len(numbers) < 2 or not all(_is_number(value) for value in numbers[:2]):
        raise ValueError("a position is no pair of finite numbers")
    return float(numbers[0]), float(numbers[1])


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False
