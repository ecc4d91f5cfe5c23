"""Dataset `climate_extreme_weather`: the layout of the public ExtremeWeather files.

One file a year, `climo_YYYY.h5` (reported: `extremeweatherdataset.github.io`): `images` float32
(frames, 16, 768, 1152) with the channels of `baryon_climate.fields`, rows from the South Pole to
the North Pole and columns eastward from 0 degrees; `boxes` int32 (frames, 15, 5), unused rows -1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon.data.hdf5.table import Hdf5Table, attributes, count_rows, find_files
from baryon.errors import BaryonError
from baryon.interfaces import Dataset, StorageInfo
from baryon_climate.dataset import calendar
from baryon_climate.dataset.frames import Frames, View
from baryon_climate.dataset.labels import LabelOptions, labels
from baryon_climate.dataset.splits import TRAIN, crop_size, same_size, scale, unlabel
from baryon_climate.dataset.unlabelled import by_year, unlabelled
from baryon_climate.dataset.years import Years, year_files, years
from baryon_climate.fields import CHANNELS
from baryon_climate.grid import Grid

MIB = 2**20
MEMBERS = "images", "boxes"
RUN_MIB = 256
"""Decoded frames that are read together where stored chunks span many time steps."""


class ClimateExtremeWeather(Dataset):
    """Global frames by year, with boxes around storms; each channel is -1..1 over `train`."""

    generator = "baryon_climate.generation.generate:generate"

    def __init__(
        self,
        *,
        folder: str,
        train: Years,
        val: Years | None,
        test: Years | None,
        box_order: str,
        first_class: int,
        empty_frames: str,
        bad_boxes: str,
        labelled_share: float,
        labelled_seed: int,
        crop: int | Sequence[int] | None,
        keep_boxes: float,
        window: int,
        augment: bool,
        mirror: bool,
        anomalies: str | None,
        step_hours: int | None,
        check_values: bool,
        statistics_frames: int | None,
    ) -> None:
        asked = {"train": train, "val": val, "test": test}
        wanted = {name: years(f"dataset.{name}", y) for name, y in asked.items() if y is not None}
        files = year_files(folder, wanted)
        counts = {
            year: (p, count_rows(p, "images"))
            for paths in files.values()
            for year, p in paths.items()
        }
        # of all splits together: one leap year with 366 days makes all of them Gregorian
        self.calendar = calendar.calendar_of(counts)
        options = LabelOptions(box_order, first_class, empty_frames, bad_boxes)
        self.splits: dict[str, Frames] = {}
        view = View(window, crop_size(crop), keep_boxes, augment, mirror)
        for name, paths in files.items():
            of_split = view.of_split(name == TRAIN)
            self.splits[name] = _open(name, paths, options, of_split, self.calendar, step_hours)
            self.splits[name].synthetic = _any_synthetic(paths)
        same_size(self.splits)
        unlabel(self.splits[TRAIN], labelled_share, labelled_seed)
        self.statistics = scale(self.splits, CHANNELS, check_values, statistics_frames, anomalies)
        self._step_hours = step_hours

    def open_input(self, files: Sequence[str]) -> Frames:
        """Open whole frames of files that hold `images`, with a year at the end of their names."""
        paths = by_year(find_files("input", files))
        source = YearFiles(list(paths.values()), MEMBERS[:1])
        times = [_times(y, path, self.calendar, self._step_hours) for y, path in paths.items()]
        grid = Grid.globe(*source.shape[1:])
        train = self.splits[TRAIN]
        split = unlabelled(source, np.concatenate(times), grid, self.calendar, train)
        split.synthetic = _any_synthetic(paths)
        return split


class YearFiles:
    """The frames of several years' files, in the order of time."""

    def __init__(self, paths: Sequence[Path], members: Sequence[str] = MEMBERS) -> None:
        self.table = Hdf5Table(paths, {member: member for member in members})
        shape = self.table.shapes["images"]
        if len(shape) != 3 or shape[0] != len(CHANNELS) or self.table.dtypes["images"].kind != "f":
            stored_shape = ", ".join(["T", *map(str, shape)])
            raise BaryonError(
                f"{paths[0]}: member 'images' has shape ({stored_shape}) and dtype "
                f"{self.table.dtypes['images']}; it must be (T, {len(CHANNELS)}, height, width) of "
                "floats: the channels of docs/climate-data.md"
            )
        rows = self.table.shapes.get("boxes", (0, 5))
        if len(rows) != 2 or rows[1] != 5:
            raise BaryonError(f"{paths[0]}: member 'boxes' has rows of shape {rows}, not (15, 5)")
        kind = self.table.dtypes.get("boxes", np.dtype("i4")).kind
        if kind not in "iuf":
            raise BaryonError(f"{paths[0]}: member 'boxes' holds no numbers (dtype kind {kind!r})")
        self.shape: tuple[int, int, int] = tuple(shape)

    def __len__(self) -> int:
        return len(self.table)

    def chunk_starts(self) -> Sequence[int]:
        """Return the starts of stored chunks, but of no more than `RUN_MIB` of frames at a time."""
        # h5py lays chunks over many time steps by itself: reading one whole would take gigabytes
        most = max(1, int(RUN_MIB * MIB / (4 * np.prod(self.shape))))
        bounds = [*self.table.chunk_starts("images"), len(self)]
        return [start for first, last in pairwise(bounds) for start in range(first, last, most)]

    def read(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Read frames start..stop-1 as they are stored."""
        return self.table.read("images", start, stop)

    def place(self, frame: int, channel: int = 0) -> str:
        """Return the year's file and the frame in it."""
        return self.table.place(frame)

    def stored(self) -> Sequence[StorageInfo]:
        """Return how the members are stored."""
        return self.table.stored()

    def fingerprint(self) -> str:
        """Return a hash of names, sizes and times of change."""
        return self.table.fingerprint()

    def close(self) -> None:
        """Close the files."""
        self.table.close()


def _open(
    name: str,
    files: Mapping[int, Path],
    options: LabelOptions,
    view: View,
    days: str,
    step_hours: int | None,
) -> Frames:
    source = YearFiles(list(files.values()))
    _, height, width = source.shape
    grid = Grid.globe(height, width)
    known = labels(
        source.table.read("boxes", 0, len(source)),
        options,
        height,
        width,
        cyclic=True,
        place=source.place,
        where=f"dataset.{name}",
    )
    times = [_times(year, path, days, step_hours) for year, path in files.items()]
    return Frames(source, known, np.concatenate(times), grid, view, days)


def _any_synthetic(files: Mapping[int, Path]) -> bool:
    """Return whether one of the files says that a program drew it."""
    return any("synthetic" in attributes(path) for path in files.values())


def _times(year: int, path: Path, days: str, step_hours: int | None) -> calendar.Seconds:
    given = attributes(path) if step_hours is None else {"hours_between_frames": step_hours}
    return calendar.times(year, path, count_rows(path, "images"), days, given)
