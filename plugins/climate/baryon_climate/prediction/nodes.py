"""The two text formats of TempestExtremes (as read in its `NodeFileUtilities` and `StitchNodes`).

A nodefile is a CSV with a header; each line is a node of a path, and neighbouring lines of one
`track_id` are one path: a box of one frame is a path of one node. What `DetectNodes` writes, and
`StitchNodes` reads to join nodes of several times to paths, has a line for each time, with the
number of its nodes, and then a line for each node.
"""

from __future__ import annotations

import csv
from pathlib import Path

from baryon_climate.classes import SHORT
from baryon_climate.dates import date
from baryon_climate.storms import About, Storms

COLUMNS = (
    "track_id", "year", "month", "day", "hour", "i", "j", "lon", "lat", "class", "score",
    "lon_west", "lat_south", "lon_east", "lat_north", "area_km2", "frame", "time",
)  # fmt: skip


class CsvNodes:
    """`boxes.csv`, a line a box; to be used in a `with` block."""

    def __init__(self, folder: Path, about: About) -> None:
        self._calendar = about.calendar
        self._stream = (folder / "boxes.csv").open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._stream, lineterminator="\n")
        self._writer.writerow(COLUMNS)
        self._number = 0

    def __enter__(self) -> CsvNodes:
        return self

    def append(self, storms: Storms) -> None:
        """Append the next frame."""
        when = date(storms.time, self._calendar)
        for n in range(len(storms)):
            degrees = (
                storms.longitude[n], storms.latitude[n],
                storms.west[n], storms.south[n], storms.east[n], storms.north[n],
            )  # fmt: skip
            lon, lat, west, south, east, north = (f"{value:.4f}" for value in degrees)
            self._writer.writerow(
                [
                    self._number, when.year, when.month, when.day, when.hour,
                    storms.column[n], storms.row[n], lon, lat,
                    SHORT[storms.classes[n]], f"{storms.scores[n]:.6f}",
                    west, south, east, north, f"{storms.area[n]:.1f}", storms.frame, when,
                ]
            )  # fmt: skip
            self._number += 1

    def __exit__(self, *error: object) -> None:
        self._stream.close()


class DetectedNodes:
    """`nodes/TC.txt` and so on, a file a class, for storms of two classes are not one path."""

    def __init__(self, folder: Path, about: About) -> None:
        self._calendar = about.calendar
        (folder / "nodes").mkdir()
        self._streams = [
            (folder / "nodes" / f"{short}.txt").open("w", encoding="utf-8") for short in SHORT
        ]

    def __enter__(self) -> DetectedNodes:
        return self

    def append(self, storms: Storms) -> None:
        """Append the next frame, also one without storms, which ends a path."""
        when = date(storms.time, self._calendar)
        for number, stream in enumerate(self._streams):
            of_class = [n for n in range(len(storms)) if storms.classes[n] == number]
            stream.write(f"{when.year}\t{when.month}\t{when.day}\t{len(of_class)}\t{when.hour}\n")
            for n in of_class:
                stream.write(
                    f"\t{storms.column[n]}\t{storms.row[n]}\t{storms.longitude[n]:.4f}"
                    f"\t{storms.latitude[n]:.4f}\t{storms.scores[n]:.6f}\t{storms.area[n]:.1f}\n"
                )

    def __exit__(self, *error: object) -> None:
        for stream in self._streams:
            stream.close()
