"""Boxes as NetCDF by the CF conventions: points (centres), with the boxes as their bounds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np

from baryon import __version__
from baryon_climate.classes import CLASSES
from baryon_climate.dataset.calendar import TIME_UNITS
from baryon_climate.storms import About, Storms

CONVENTIONS = "CF-1.11"
HELD = 4096
"""Boxes that are written together."""
COORDINATES = "time latitude longitude"

VARIABLES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "time": (
        "f8",
        {"standard_name": "time", "long_name": "time of the frame", "units": TIME_UNITS},
    ),
    "latitude": (
        "f8",
        {
            "standard_name": "latitude",
            "long_name": "latitude of the box's centre",
            "units": "degrees_north",
            "bounds": "latitude_bounds",
        },
    ),
    "longitude": (
        "f8",
        {
            "standard_name": "longitude",
            "long_name": "longitude of the box's centre",
            "units": "degrees_east",
            "bounds": "longitude_bounds",
        },
    ),
    "class": (
        "i1",
        {
            "long_name": "class of the event",
            "flag_values": np.arange(len(CLASSES), dtype=np.int8),
            "flag_meanings": " ".join(
                storm_class.name.replace(" ", "_") for storm_class in CLASSES
            ),
            "coordinates": COORDINATES,
        },
    ),
    "score": (
        "f4",
        {
            "long_name": "probability that the box holds an event of this class",
            "units": "1",
            "valid_range": np.array([0, 1], np.float32),
            "coordinates": COORDINATES,
        },
    ),
    "area": (
        "f8",
        {
            "long_name": "area of the box on the sphere",
            "units": "km2",
            "coordinates": COORDINATES,
        },
    ),
    "frame": (
        "i4",
        {
            "long_name": "row of the frame in the input, from 0",
            "units": "1",
            "coordinates": COORDINATES,
        },
    ),
}
BOUNDS = "latitude_bounds", "longitude_bounds"


class NetCdf:
    """`boxes.nc`, of the feature type `point`; to be used in a `with` block."""

    def __init__(self, folder: Path, about: About) -> None:
        now = datetime.now(UTC)
        self._file = h5netcdf.File(folder / "boxes.nc", "w")
        self._file.attrs.update(
            {
                "Conventions": CONVENTIONS,
                "featureType": "point",
                "title": "Extreme weather found by a neural network"
                + (" in SYNTHETIC frames" if about.synthetic else ""),
                "source": f"Baryon {__version__}, baryon predict",
                # Without the command's arguments, among which there may be a password.
                "history": f"{now:%Y-%m-%dT%H:%M:%SZ}: written by baryon predict",
            }
        )
        self._file.dimensions = {"box": None, "bound": 2}
        for name, (kind, attributes) in VARIABLES.items():
            calendar = {"calendar": about.calendar} if name == "time" else {}
            self._file.create_variable(name, ("box",), kind).attrs.update(
                {**attributes, **calendar}
            )
        for name in BOUNDS:
            self._file.create_variable(name, ("box", "bound"), "f8")
        self._held: list[Storms] = []
        self._count = 0

    def __enter__(self) -> NetCdf:
        return self

    def append(self, storms: Storms) -> None:
        """Append the next frame."""
        self._held.append(storms)
        if self._waiting() >= HELD:
            self._write()

    def _waiting(self) -> int:
        return sum(len(storms) for storms in self._held)

    def _write(self) -> None:
        start, self._count = self._count, self._count + self._waiting()
        self._file.resize_dimension("box", self._count)
        for name, values in _columns(self._held).items():
            self._file[name][start : self._count] = values
        self._held = []

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None and self._waiting():
            self._write()
        self._file.close()


def _columns(frames: list[Storms]) -> dict[str, Any]:
    joined = {
        name: np.concatenate([getattr(storms, name) for storms in frames])
        for name in (
            "latitude",
            "longitude",
            "scores",
            "classes",
            "area",
            "south",
            "north",
            "west",
            "east",
        )
    }
    counts = [len(storms) for storms in frames]
    # A bound may lie beyond 360: then the centre lies between the bounds as it should.
    turn = np.where(joined["longitude"] < joined["west"], 360.0, 0.0)
    bounds = np.stack([joined["west"] - turn, joined["east"] - turn], axis=1)
    return {
        "time": np.repeat([float(storms.time) for storms in frames], counts),
        "latitude": joined["latitude"],
        "longitude": joined["longitude"],
        "class": joined["classes"].astype(np.int8),
        "score": joined["scores"].astype(np.float32),
        "area": joined["area"],
        "frame": np.repeat([storms.frame for storms in frames], counts).astype(np.int32),
        "latitude_bounds": np.stack([joined["south"], joined["north"]], axis=1),
        "longitude_bounds": bounds,
    }
