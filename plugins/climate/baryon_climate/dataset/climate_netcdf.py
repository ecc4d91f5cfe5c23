"""Dataset `climate_netcdf`: CF NetCDF files or Zarr stores of any model or reanalysis.

Variables become channels by name, or by CF standard name and pressure level; boxes come from a list
(`baryon_climate.dataset.box_lists`) or there are none.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from baryon.errors import BaryonError
from baryon.interfaces import Dataset
from baryon_climate.dataset.box_lists import listed_boxes
from baryon_climate.dataset.box_order import IN_THE_WILD
from baryon_climate.dataset.cf_variables import chosen
from baryon_climate.dataset.frames import Frames, View
from baryon_climate.dataset.labels import LabelOptions, labels, unknown
from baryon_climate.dataset.netcdf_files import NetcdfFiles
from baryon_climate.dataset.splits import (
    TRAIN,
    crop_size,
    same_number_of_boxes,
    same_size,
    scale,
    unlabel,
)
from baryon_climate.dataset.unlabelled import unlabelled
from baryon_climate.tracks.box_rules import BoxRules, box_rules

Files = str | Sequence[str]


class ClimateNetcdf(Dataset):
    """Frames from CF files with the channels asked for, each scaled to -1..1 over `train`."""

    def __init__(
        self,
        *,
        train: Files,
        val: Files | None,
        test: Files | None,
        channels: Sequence[str] | None,
        variables: Mapping[str, str | None],
        allow_gaps: bool,
        boxes: str | None,
        tracks: Mapping[str, str | float],
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
        check_values: bool,
        statistics_frames: int | None,
    ) -> None:
        self.channels = chosen(channels)
        self._variables, self._allow_gaps = variables, allow_gaps
        options = LabelOptions(box_order, first_class, empty_frames, bad_boxes)
        listed = None if boxes is None else Path(boxes).expanduser()
        rules = box_rules(tracks)
        self.splits: dict[str, Frames] = {}
        view = View(window, crop_size(crop), keep_boxes, augment, mirror)
        for name, files in {"train": train, "val": val, "test": test}.items():
            if files is not None:
                source = self._open(f"dataset.{name}", files)
                of_split = view.of_split(name == TRAIN)
                self.splits[name] = _split(name, source, listed, rules, options, of_split)
        self.calendar = _one_calendar(self.splits)
        same_size(self.splits)
        same_number_of_boxes(self.splits)  # a batch has one shape, whatever the split
        if listed is not None:
            unlabel(self.splits[TRAIN], labelled_share, labelled_seed)
        self.statistics = scale(
            self.splits, self.channels, check_values, statistics_frames, anomalies
        )

    def _open(self, key: str, files: Files) -> NetcdfFiles:
        paths = _paths(key, files)
        return NetcdfFiles(paths, self.channels, self._variables, allow_gaps=self._allow_gaps)

    def open_input(self, files: Sequence[str]) -> Frames:
        """Open whole frames of files or stores that hold the channels of training."""
        source = self._open("input", files)
        split = unlabelled(source, source.times, source.grid, source.calendar, self.splits[TRAIN])
        split.file_order = source.file_order
        return split


def _paths(key: str, patterns: Files) -> list[Path]:
    """Return files and Zarr stores (folders), each once.

    Raises `BaryonError` for a pattern that matches nothing.
    """
    paths: dict[Path, None] = {}
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        _require_local(key, pattern)
        matches = sorted(glob.glob(str(Path(pattern).expanduser()), recursive=True))  # noqa: PTH207
        if not matches:
            raise BaryonError(f"{key}={pattern} matches nothing (looked from {Path.cwd()})")
        paths.update(dict.fromkeys(map(Path, matches)))
    return list(paths)


def _require_local(key: str, pattern: str) -> None:
    address = re.match(r"([a-z][a-z0-9+.-]*)://", pattern, re.IGNORECASE)
    if address:
        raise BaryonError(
            f"{key}={pattern} is an address ({address[1]}), and files are read from this machine's "
            "disks: copy it first, with gsutil cp -r, aws s3 sync or curl -O for example"
        )


def _split(
    name: str,
    source: NetcdfFiles,
    listed: Path | None,
    rules: BoxRules,
    options: LabelOptions,
    view: View,
) -> Frames:
    if listed is None:
        nobody_looked = unknown(len(source), 1)
        return Frames(source, nobody_looked, source.times, source.grid, view, source.calendar)
    boxes = listed_boxes(
        listed,
        source.times,
        source.calendar,
        source.grid,
        options.box_order,
        options.first_class,
        view.keep,
        rules,
    )
    in_pixels = LabelOptions(IN_THE_WILD[0], 0, options.empty_frames, options.bad_boxes)
    known = labels(
        boxes,
        in_pixels,
        source.grid.height,
        source.grid.width,
        cyclic=source.grid.cyclic,
        place=lambda frame: f"{listed}, of {source.place(frame)}",
        where=f"dataset.{name}",
    )
    return Frames(source, known, source.times, source.grid, view, source.calendar)


def _one_calendar(splits: Mapping[str, Frames]) -> str:
    calendars = {name: split.calendar for name, split in splits.items()}
    if len(set(calendars.values())) > 1:
        raise BaryonError(f"the splits are of different calendars ({calendars}): give files of one")
    return calendars[TRAIN]
