"""Boxes as GeoJSON (RFC 7946)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from baryon_climate.classes import CLASSES
from baryon_climate.dates import date
from baryon_climate.storms import About, Storms

DIGITS = 6
"""Of a degree, 0.1 m (RFC 7946, section 11.2)."""
Ring = list[list[float]]


class GeoJson:
    """`boxes.geojson`, a feature a box; to be used in a `with` block.

    A box across the antimeridian is cut there into two polygons (section 3.1.9).
    """

    def __init__(self, folder: Path, about: About) -> None:
        self._calendar = about.calendar
        self._stream = (folder / "boxes.geojson").open("w", encoding="utf-8")
        made_up = '"synthetic": true, ' if about.synthetic else ""  # a foreign member (section 6.1)
        self._stream.write(f'{{"type": "FeatureCollection", {made_up}"features": [')
        self._first = True

    def __enter__(self) -> GeoJson:
        return self

    def append(self, storms: Storms) -> None:
        """Append the next frame."""
        when = str(date(storms.time, self._calendar))
        for n in range(len(storms)):
            feature = _feature(storms, n, when, self._calendar)
            self._stream.write(("" if self._first else ",") + "\n" + json.dumps(feature))
            self._first = False

    def __exit__(self, *error: object) -> None:
        self._stream.write("\n]}\n")
        self._stream.close()


def _feature(storms: Storms, n: int, when: str, calendar: str) -> dict[str, Any]:
    kind = CLASSES[storms.classes[n]]
    rings = pieces(
        *(float(side[n]) for side in (storms.west, storms.east, storms.south, storms.north))
    )
    whole = len(rings) == 1
    return {
        "type": "Feature",
        "bbox": [*rings[0][0], rings[-1][2][0], rings[-1][2][1]],
        "geometry": {
            "type": "Polygon" if whole else "MultiPolygon",
            "coordinates": [rings[0]] if whole else [[ring] for ring in rings],
        },
        "properties": {
            "class": kind.short,
            "name": kind.name,
            "score": round(float(storms.scores[n]), DIGITS),
            "time": when,
            "calendar": calendar,
            "frame": storms.frame,
            "area_km2": round(float(storms.area[n]), 1),
        },
    }


def pieces(west: float, east: float, south: float, north: float) -> list[Ring]:
    """Return a box's rings between -180 and 180 degrees east, the western one first.

    Each is closed and runs counterclockwise from its south-west corner.
    """
    # libraries for this take an edge longer than 180 degrees for one that goes around the other
    # side, and boxes of atmospheric rivers may be that wide
    start = (west + 180.0) % 360.0 - 180.0
    stop = start + min(east - west, 360.0)
    if stop <= 180.0:
        return [_ring(start, stop, south, north)]
    return [_ring(start, 180.0, south, north), _ring(-180.0, stop - 360.0, south, north)]


def _ring(west: float, east: float, south: float, north: float) -> Ring:
    corners = (west, south), (east, south), (east, north), (west, north), (west, south)
    return [[round(x, DIGITS), round(y, DIGITS)] for x, y in corners]
