"""HDF5 and NetCDF files as datasets read them: HEP images, climate frames, both formats of NetCDF.

Pixels are few, so that most of the bytes that are damaged are the formats' own.
"""

import hashlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray
import yaml
from outcomes import Kind

from baryon.data.decoding import read_rows
from baryon.interfaces import Split
from baryon_climate.dataset.climate_extreme_weather import ClimateExtremeWeather
from baryon_climate.dataset.climate_netcdf import ClimateNetcdf
from baryon_hep.dataset.hep_images import HepImages

EVENTS, SIZE = 12, 6
YEAR = 1979


def options(package: str, name: str, **changes: Any) -> dict[str, Any]:
    """Return the defaults of a dataset's option file with some changes."""
    text = (resources.files(package) / "conf" / "dataset" / f"{name}.yaml").read_text()
    return {
        k: v for k, v in yaml.safe_load(text).items() if k not in ("defaults", "name")
    } | changes


def digest(split: Split) -> str:
    """SHA-256 over every field of every sample, as training would read them."""
    whole = hashlib.sha256()
    rows = read_rows(split, np.arange(len(split)))
    for name in sorted(rows):
        whole.update(f"{name} {rows[name].dtype} {rows[name].shape}".encode())
        whole.update(np.ascontiguousarray(rows[name]).tobytes())
    return whole.hexdigest()


def write_events(path: Path, **options: Any) -> list[Path]:
    """Write a small file in the layout of `hep_images`; `options` are those of h5py.File."""
    random = np.random.default_rng(1)
    label = (np.arange(EVENTS) % 2).astype("i4")
    data = random.poisson(0.5, (EVENTS, 3, SIZE, SIZE)).astype("f4")
    data[label == 1, :, :2, :2] += 5
    with h5py.File(path, "w", **options) as file:
        gzip = {"chunks": (4, 3, SIZE, SIZE), "compression": "gzip", "shuffle": True}
        file.create_dataset("data", data=data, **gzip)
        file["label"] = label
        file["weight"] = random.random(EVENTS).astype("f4")
        file.create_dataset(
            "normweight", data=random.random(EVENTS).astype("f4"), chunks=(5,), maxshape=(None,)
        )
        file["psr"] = (random.random(EVENTS) > 0.5).astype("i4")
        file["data"].attrs["eta_range"] = [-2.5, 2.5]
    return [path]


def read_events(folder: Path) -> str:
    """Open and read as a training would."""
    dataset = HepImages(**options("baryon_hep", "hep_images", train=str(folder / "events.h5")))
    return digest(dataset.splits["train"])


def write_frames(folder: Path, frames: int = 4, height: int = 6, width: int = 8) -> list[Path]:
    """Write a year in the layout of `climate_extreme_weather`."""
    path, random = folder / f"climo_{YEAR}.h5", np.random.default_rng(2)
    boxes = np.full((frames, 15, 5), -1, "i4")
    boxes[:, 0] = (1, 2, 4, 6, 1)
    with h5py.File(path, "w") as file:
        images = random.normal(size=(frames, 16, height, width)).astype("f4")
        gzip = {"chunks": (1, 16, height, width), "compression": "gzip", "shuffle": True}
        file.create_dataset("images", data=images, **gzip)
        file["boxes"] = boxes
        file.attrs["hours_between_frames"] = 6
    return [path]


def read_frames(folder: Path) -> str:
    """Open and read as a training would."""
    changes = {"folder": str(folder), "train": YEAR, "box_order": "ymin_xmin_ymax_xmax"}
    dataset = ClimateExtremeWeather(
        **options("baryon_climate", "climate_extreme_weather", **changes)
    )
    return digest(dataset.splits["train"])


def write_netcdf(path: Path, engine: str, *, packed: bool = False) -> Sequence[Path]:
    """Write two fields of a few frames as NetCDF-4 (h5netcdf) or classic NetCDF (scipy)."""
    random, steps, rows, columns = np.random.default_rng(3), 4, 5, 8
    axes = ("time", "lat", "lon")
    fields = {
        "TMQ": (axes, random.normal(30, 5, (steps, rows, columns)), {"units": "kg/m2"}),
        "PSL": (axes, random.normal(1e5, 900, (steps, rows, columns)), {"units": "Pa"}),
    }
    hours = {"units": "hours since 2001-01-01 00:00:00", "calendar": "standard"}
    coordinates = {
        "time": ("time", 6.0 * np.arange(steps), hours),
        "lat": ("lat", np.linspace(-72, 72, rows), {"units": "degrees_north"}),
        "lon": ("lon", np.arange(columns) * 360 / columns, {"units": "degrees_east"}),
    }
    scale = {"dtype": "i2", "scale_factor": 0.2, "add_offset": 1e5, "_FillValue": -32767}
    zlib = {"zlib": True, "shuffle": True} if engine == "h5netcdf" else {}
    encoding = {"TMQ": {"dtype": "f4", **zlib}, "PSL": scale if packed else {"dtype": "f4"}}
    xarray.Dataset(fields, coordinates).to_netcdf(path, engine=engine, encoding=encoding)
    return [path]


def read_netcdf(folder: Path) -> str:
    """Open and read as a training would."""
    changes = {"train": str(folder / "fields.nc"), "channels": ["TMQ", "PSL"]}
    dataset = ClimateNetcdf(**options("baryon_climate", "climate_netcdf", **changes))
    return digest(dataset.splits["train"])


KINDS = [
    Kind("HEP images", lambda folder: write_events(folder / "events.h5"), read_events),
    Kind(
        "HEP images, newest HDF5 format",
        lambda folder: write_events(folder / "events.h5", libver="latest"),
        read_events,
    ),
    Kind("climate frames", write_frames, read_frames),
    Kind("NetCDF-4", lambda folder: write_netcdf(folder / "fields.nc", "h5netcdf"), read_netcdf),
    Kind(
        "classic NetCDF",
        lambda folder: write_netcdf(folder / "fields.nc", "scipy", packed=True),
        read_netcdf,
    ),
]
