"""Best tracks and masks as they become boxes: IBTrACS, HURDAT2, both nodefiles, NetCDF."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray
from box_list_kinds import GRID
from outcomes import Kind

from baryon_climate.dataset.box_lists import listed_boxes
from baryon_climate.dataset.listed_box import Moment
from baryon_climate.dates import seconds
from baryon_climate.tracks.box_rules import BoxRules
from baryon_climate.tracks.reading import read_fixes
from baryon_climate.tracks.track import tracks_of

RULES = BoxRules("usa", 34.0, 20.0, 300.0, 500.0)
IBTRACS = """SID,SEASON,NAME,ISO_TIME,NATURE,LAT,LON,USA_WIND,USA_PRES,USA_R34_NE,USA_R34_SW
 ,Year, , , ,degrees_north,degrees_east,kts,mb,nmile,nmile
2021239N17281,2021,IDA,2021-08-29 12:00:00,TS,28.5,-89.6,130,929,120,80
2021239N17281,2021,IDA,2021-08-29 15:00:00,TS,28.8,-89.9, , , ,
2021239N17281,2021,IDA,2021-08-29 18:00:00,TS,29.2,-90.4,125,932,120,80
2021240N30310,2021,JULIAN,2021-08-29 12:00:00,ET,32.1,-50.2,50,998, ,
"""
HURDAT2 = """AL092021,                IDA,      3,
20210829, 1200,  , HU, 28.5N,  89.6W, 130,  929,  130,  110,   80,  110,   70,   60,   40,   60,
20210829, 1655, L, HU, 29.1N,  90.2W, 130,  931,  130,  110,   80,  110,   70,   60,   40,   60,
20210829, 1800,  , HU, 29.2N,  90.4W, 125,  932,  120,   80,   80,  -99,   60,   60,   40,   60,
AL102021,               KATE,      1,
20210829, 1200,  , TD, 21.9N,  50.8W,  30, 1007, -999, -999, -999, -999, -999, -999, -999, -999,
"""
NODES = """start\t3\t2021\t8\t29\t12
\t40\t20\t270.400000\t28.500000\t9.290e+04\t6.6e+01\t2021\t8\t29\t12
\t40\t20\t269.900000\t29.000000\t9.310e+04\t6.5e+01\t2021\t8\t29\t15
\t39\t20\t269.600000\t29.200000\t9.320e+04\t6.4e+01\t2021\t8\t29\t18
"""
TRACKS = """track_id,year,month,day,hour,i,j,lon,lat,slp,wind10
0,2021,8,29,12,40,20,270.4,28.5,92900,66.0
0,2021,8,29,18,39,20,269.6,29.2,93200,64.0
"""
FIRST = Moment(2021, 8, 29, 12 * 3600)


def write_tracks(folder: Path) -> Sequence[Path]:
    """Write the same storm in four formats."""
    contents = {
        "ibtracs.csv": IBTRACS,
        "hurdat2.txt": HURDAT2,
        "nodes.txt": NODES,
        "tracks.csv": TRACKS,
    }
    for name, content in contents.items():
        (folder / name).write_text(content)
    return [folder / name for name in contents]


def write_masks(folder: Path) -> Sequence[Path]:
    """Write masks of two times, with a storm across the seam and a river."""
    labels = np.zeros((2, GRID.height, GRID.width), "i1")
    labels[:, 20:24, :3], labels[:, 20:24, -2:], labels[1, 5:9, 10:25] = 1, 1, 2
    hours = {"units": "hours since 2021-08-29 12:00:00", "calendar": "standard"}
    rows, columns = np.arange(GRID.height), np.arange(GRID.width)
    coordinates = {
        "time": ("time", [0.0, 6.0], hours),
        "lat": ("lat", GRID.latitudes(rows), {"units": "degrees_north"}),
        "lon": ("lon", GRID.longitudes(columns), {"units": "degrees_east"}),
    }
    path = folder / "masks.nc"
    dataset = xarray.Dataset({"LABELS": (("time", "lat", "lon"), labels)}, coordinates)
    dataset.to_netcdf(path, engine="h5netcdf", encoding={"LABELS": {"zlib": True}})
    return [path]


def read_boxes(folder: Path) -> str:
    """SHA-256 over the boxes of all files, and over the tracks of those that have them."""
    start = seconds(FIRST, "standard")
    times = np.array([start, start + 6 * 3600])
    whole = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        boxes = listed_boxes(path, times, "standard", GRID, "auto", 0, rules=RULES)
        assert np.isfinite(boxes).all()
        whole.update(boxes.tobytes())
        if path.suffix != ".nc":
            for track in tracks_of(path, read_fixes(path)):
                whole.update(track.times.tobytes() + track.latitude.tobytes())
    return whole.hexdigest()


KINDS = [
    Kind("best tracks", write_tracks, read_boxes),
    Kind("masks", write_masks, read_boxes),
]
