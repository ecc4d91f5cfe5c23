"""Lists of boxes as they become labels: the three layouts of CSV, and GeoJSON."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import cftime
import numpy as np
from outcomes import Kind

from baryon_climate.dataset.box_lists import listed_boxes
from baryon_climate.dataset.calendar import TIME_UNITS
from baryon_climate.dataset.labels import LabelOptions, labels
from baryon_climate.grid import Grid

GRID = Grid.globe(32, 48)
FRAMES, STEP = 8, 6 * 3600
DEGREES = """time,class,lat_min,lon_min,lat_max,lon_max
1979-01-01T00,TC,10,20,30,40
1979-01-01T06:00+00:00,1,-20,350,-5,10
1979-01-02T12:00:00Z,AR,0,100,30.5,140.25
"""
PREDICTED = """track_id,time,class,score,lat_south,lon_west,lat_north,lon_east
0,1979-01-01T00:00:00,TC,0.951234,10.0000,340.5000,30.0000,370.2500
1,1979-01-01T18:00:00,ETC,0.812345,-60.0000,100.0000,-40.0000,140.0000
"""
PIXELS = """year,month,day,time_step,xmin,xmax,ymin,ymax,category
1979,1,1,0,4,12,6,16,1
1979,1,1,2,15,25,20,32,2
1979,1,2,4,5,9,30,45,0
"""


def _ring(west: float, south: float, east: float, north: float) -> list[list[list[float]]]:
    return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]


FEATURES = [
    {
        "type": "Feature",
        "properties": {"time": "1979-01-01T06:00", "class": "TC"},
        "geometry": {"type": "Polygon", "coordinates": _ring(20, 10, 40, 30)},
    },
    {
        "type": "Feature",
        "properties": {"time": "1979-01-02T00:00", "class": 3},
        "geometry": {
            "type": "MultiPolygon",
            "coordinates": [_ring(170, 10, 180, 30), _ring(-180, 10, -170, 30)],
        },
    },
]


def write_lists(folder: Path) -> Sequence[Path]:
    """Write a list in each layout, with two or three boxes."""
    collection = {"type": "FeatureCollection", "features": FEATURES}
    contents = {
        "degrees.csv": DEGREES,
        "predicted.csv": PREDICTED,
        "pixels.csv": PIXELS,
        "boxes.geojson": json.dumps(collection),
    }
    for name, content in contents.items():
        (folder / name).write_text(content)
    return [folder / name for name in contents]


def read_lists(folder: Path) -> str:
    """SHA-256 over the labels that all lists give."""
    start = cftime.datetime(1979, 1, 1, calendar="noleap")
    times = round(float(cftime.date2num(start, TIME_UNITS, "noleap"))) + STEP * np.arange(FRAMES)
    whole = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        boxes = listed_boxes(path, times, "noleap", GRID, "auto", 0)
        known = labels(
            boxes,
            LabelOptions("ymin_xmin_ymax_xmax", 0, "unlabelled", "refuse"),
            GRID.height,
            GRID.width,
            cyclic=True,
            place=lambda frame, path=path: f"{path}, frame {frame}",
            where="dataset.train",
        )
        assert np.isfinite(known.boxes).all()
        whole.update(known.boxes.tobytes())
        whole.update(known.known.tobytes())
    return whole.hexdigest()


KINDS = [Kind("box lists (CSV, GeoJSON)", write_lists, read_lists)]
