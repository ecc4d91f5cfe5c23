"""Frames whose storms nobody looked for: the input of predictions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError
from baryon_climate.dataset.frames import Frames, Source
from baryon_climate.dataset.labels import unknown
from baryon_climate.grid import Grid


def unlabelled(
    source: Source,
    times: npt.NDArray[np.int64],
    grid: Grid,
    calendar: str,
    train: Frames,
) -> Frames:
    """Return whole frames, in windows like those of `train` and normalised by its ranges."""
    nothing = unknown(len(source), train.labels.boxes.shape[1])
    # whole frames, also for a model that learned from crops: no storm is cut
    view = replace(train.view, crop=None, augment=False, mirror=False)
    split = Frames(source, nothing, times, grid, view, calendar)
    split.scaling, split.channels = train.scaling, train.channels
    return split


def by_year(paths: Sequence[Path]) -> dict[int, Path]:
    """Return files by ascending year.

    Raises `BaryonError` for a name without a year, or two files of one year.
    """
    files: dict[int, Path] = {}
    for path in paths:
        year = re.search(r"(\d{4})$", path.stem)
        if year is None:
            raise BaryonError(f"{path}: its name ends in no year, as in climo_1979.h5: rename it")
        if files.setdefault(int(year[1]), path) != path:
            raise BaryonError(f"{path} and {files[int(year[1])]} are of one year: give one of them")
    return dict(sorted(files.items()))
