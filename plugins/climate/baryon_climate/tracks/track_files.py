"""Tracks in the formats that the field's tools read.

`tracks.csv` and `tracks.txt` are the two nodefiles of TempestExtremes's `StitchNodes`, `tracks.nc`
is a CF trajectory (CF-1.11, appendix H.4.3, contiguous ragged array), `tracks.geojson` has a line a
track (RFC 7946).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from baryon import __version__
from baryon_climate.classes import CLASSES, SHORT
from baryon_climate.dataset.calendar import TIME_UNITS
from baryon_climate.dates import Date, date
from baryon_climate.grid import Grid
from baryon_climate.storms import About, FileOrder
from baryon_climate.tracks.track import Track

COLUMNS = (
    "track_id", "year", "month", "day", "hour", "i", "j", "lon", "lat",
    "class", "score", "pressure_hpa", "wind_ms", "time",
)  # fmt: skip
DIGITS = 6
"""Of a degree in GeoJSON (RFC 7946, section 11.2)."""
COORDINATES = "time latitude longitude"
Variable: TypeAlias = "tuple[str, np.ndarray, Mapping[str, Any]]"
"""Dimension, values and attributes."""
OF_POINTS: Mapping[str, tuple[str, type[np.generic], Mapping[str, Any]]] = {
    "time": (
        "times",
        np.float64,
        {"standard_name": "time", "long_name": "time of the frame", "units": TIME_UNITS},
    ),
    "latitude": (
        "latitude",
        np.float64,
        {
            "standard_name": "latitude",
            "long_name": "latitude of the box's centre",
            "units": "degrees_north",
        },
    ),
    "longitude": (
        "longitude",
        np.float64,
        {
            "standard_name": "longitude",
            "long_name": "longitude of the box's centre",
            "units": "degrees_east",
        },
    ),
    "pressure": (
        "pressure",
        np.float64,
        {
            "standard_name": "air_pressure_at_mean_sea_level",
            "long_name": "lowest sea-level pressure in the box",
            "units": "hPa",
            "coordinates": COORDINATES,
        },
    ),
    "wind": (
        "wind",
        np.float64,
        {
            "standard_name": "wind_speed",
            "long_name": "largest wind of the lowest model level in the box",
            "units": "m s-1",
            "coordinates": COORDINATES,
        },
    ),
    "class": (
        "classes",
        np.int8,
        {
            "long_name": "class of the event",
            "flag_values": np.arange(len(CLASSES), dtype=np.int8),
            "flag_meanings": " ".join(kind.name.replace(" ", "_") for kind in CLASSES),
            "coordinates": COORDINATES,
        },
    ),
    "score": (
        "scores",
        np.float32,
        {
            "long_name": "probability that the box holds an event of this class",
            "units": "1",
            "coordinates": COORDINATES,
        },
    ),
}
"""Variables of all points in CF's file: attribute of `Track`, type in the file, attributes."""


class OnGrid(About, Protocol):
    """What is known of the frames that tracks were found in."""

    grid: Grid
    file_order: FileOrder


def write_tracks(
    tracks: Sequence[Track], folder: Path, about: OnGrid, formats: Sequence[str]
) -> None:
    """Write `tracks.<suffix>` into a folder in each of the formats: a key of `WRITERS`."""
    for name in formats:
        WRITERS[name](tracks, folder, about)


def _points(track: Track, about: OnGrid) -> Iterator[tuple[int, Date, int, int]]:
    """Yield each point's number, date, and column and row in the file's own grid."""
    grid, order = about.grid, about.file_order
    for number in range(len(track)):
        column = round(float(grid.columns(track.longitude[number])))
        row = round(float(grid.rows(track.latitude[number])))
        column = column % grid.width if grid.cyclic else min(column, grid.width - 1)
        row = min(max(row, 0), grid.height - 1)
        when = date(int(track.times[number]), about.calendar)
        yield number, when, int(order.columns[column]), int(order.rows[row])


def _write_csv(tracks: Sequence[Track], folder: Path, about: OnGrid) -> None:
    with (folder / "tracks.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for track in tracks:
            for n, when, i, j in _points(track, about):
                writer.writerow(
                    [
                        track.name, when.year, when.month, when.day, when.hour, i, j,
                        f"{track.longitude[n]:.4f}", f"{track.latitude[n]:.4f}",
                        SHORT[track.classes[n]], f"{track.scores[n]:.6f}",
                        f"{track.pressure[n]:.2f}", f"{track.wind[n]:.2f}", when,
                    ]
                )  # fmt: skip


def _write_nodes(tracks: Sequence[Track], folder: Path, about: OnGrid) -> None:
    with (folder / "tracks.txt").open("w", encoding="utf-8") as stream:
        for track in tracks:
            first = date(int(track.times[0]), about.calendar)
            stream.write(f"start\t{len(track)}\t{_when(first)}\n")
            for n, when, i, j in _points(track, about):
                stream.write(
                    f"\t{i}\t{j}\t{track.longitude[n]:.6f}\t{track.latitude[n]:.6f}"
                    f"\t{100 * track.pressure[n]:.6e}\t{track.wind[n]:.6e}\t{_when(when)}\n"
                )


def _when(moment: Date) -> str:
    return f"{moment.year}\t{moment.month}\t{moment.day}\t{moment.hour}"


def _write_geojson(tracks: Sequence[Track], folder: Path, about: OnGrid) -> None:
    features = [_feature(track, about.calendar) for track in tracks]
    collection: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    if about.synthetic:
        collection["synthetic"] = True  # a foreign member (section 6.1)
    (folder / "tracks.geojson").write_text(json.dumps(collection) + "\n", encoding="utf-8")


def _feature(track: Track, calendar: str) -> dict[str, Any]:
    kind = CLASSES[track.kind]
    return {
        "type": "Feature",
        "geometry": line(track),
        "properties": {
            "track_id": track.name,
            "class": kind.short,
            "name": kind.name,
            "start": str(date(int(track.times[0]), calendar)),
            "end": str(date(int(track.times[-1]), calendar)),
            "calendar": calendar,
            "times": [str(date(int(time), calendar)) for time in track.times],
            "minimum_pressure_hpa": _known(track.deepest),
            "maximum_wind_ms": _known(track.strongest),
            "score": round(float(track.scores.mean()), DIGITS),
        },
    }


def _known(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 2)


def line(track: Track) -> dict[str, Any]:
    """Return a track as GeoJSON geometry, cut where it crosses the antimeridian (section 3.1.9)."""
    east = (track.longitude + 180.0) % 360.0 - 180.0
    places = [
        (round(float(x), DIGITS), round(float(y), DIGITS))
        for x, y in zip(east, track.latitude, strict=True)
    ]
    parts: list[list[tuple[float, float]]] = [[places[0]]]
    for (x, y), (next_x, next_y) in pairwise(places):
        if abs(next_x - x) > 180.0:
            edge = 180.0 if x > 0 else -180.0
            beyond = next_x + 360.0 if x > 0 else next_x - 360.0
            crossing = y + (next_y - y) * (edge - x) / (beyond - x) if beyond != x else y
            parts[-1].append((edge, round(crossing, DIGITS)))
            parts.append([(-edge, round(crossing, DIGITS))])
        parts[-1].append((next_x, next_y))
    if len(places) == 1:
        return {"type": "Point", "coordinates": places[0]}
    if len(parts) == 1:
        return {"type": "LineString", "coordinates": parts[0]}
    return {"type": "MultiLineString", "coordinates": parts}


def _write_netcdf(tracks: Sequence[Track], folder: Path, about: OnGrid) -> None:
    import h5netcdf

    now = datetime.now(UTC)
    with h5netcdf.File(folder / "tracks.nc", "w") as file:
        file.attrs.update(
            {
                "Conventions": "CF-1.11",
                "featureType": "trajectory",
                "title": "Tracks of storms found by a neural network"
                + (" in SYNTHETIC frames" if about.synthetic else ""),
                "source": f"Baryon {__version__}, baryon predict",
                "history": f"{now:%Y-%m-%dT%H:%M:%SZ}: written by baryon predict",
            }
        )
        # unlimited: a dimension of a fixed size may not be 0, and there may be no tracks
        file.dimensions = {"trajectory": None, "obs": None}
        file.resize_dimension("trajectory", len(tracks))
        file.resize_dimension("obs", sum(map(len, tracks)))
        for name, (dimension, values, attributes) in _variables(tracks, about.calendar).items():
            variable = file.create_variable(name, (dimension,), values.dtype)
            variable.attrs.update(attributes)
            if len(values):
                variable[:] = values


def _variables(tracks: Sequence[Track], calendar: str) -> Mapping[str, Variable]:
    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(track, name) for track in tracks] or [np.zeros(0)])

    variables: dict[str, Variable] = {
        "trajectory": (
            "trajectory",
            np.array([int(track.name) for track in tracks], np.int32),
            {"cf_role": "trajectory_id", "long_name": "number of the track"},
        ),
        "row_size": (
            "trajectory",
            np.array([len(track) for track in tracks], np.int32),
            {"long_name": "number of points of the track", "sample_dimension": "obs"},
        ),
    }
    for name, (source, dtype, attributes) in OF_POINTS.items():
        calendars = {"calendar": calendar} if name == "time" else {}
        variables[name] = ("obs", joined(source).astype(dtype), {**attributes, **calendars})
    return variables


WRITERS: Mapping[str, Callable[[Sequence[Track], Path, OnGrid], None]] = {
    "csv": _write_csv,
    "nodes": _write_nodes,
    "geojson": _write_geojson,
    "netcdf": _write_netcdf,
}
