"""CF NetCDF files and Zarr stores as one run of frames, through xarray."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError, format_error
from baryon.interfaces import StorageInfo
from baryon.terminal.console import warn
from baryon_climate.dataset.calendar import HOUR
from baryon_climate.dataset.cf_file import CfFile
from baryon_climate.dataset.cf_grid import same_grid
from baryon_climate.dataset.cf_series import Series, all_series
from baryon_climate.dataset.time_gaps import gaps, usual_step
from baryon_climate.fields import Channel
from baryon_climate.grid import Grid
from baryon_climate.storms import FileOrder


class NetcdfFiles:
    """The frames of several files, in the order of time, south first.

    A file may hold all channels or one, some times or all. It can be pickled: whoever it is sent to
    opens the files anew.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        channels: Sequence[Channel],
        variables: Mapping[str, str | None],
        *,
        allow_gaps: bool,
    ) -> None:
        self._files = [CfFile(path) for path in paths]
        self._channels = channels
        self._series = all_series(self._files, channels, variables)
        self.times = self._series[0].times
        self.calendar = self._series[0].calendar
        self.grid = self._one_grid()
        self._require_gapless(allow_gaps)
        self._warn_of_unwritten()
        self.shape: tuple[int, int, int] = (len(channels), self.grid.height, self.grid.width)

    def _parts(self) -> list[tuple[CfFile, str]]:
        """Return every file with the name of every variable that is read from it."""
        return [
            (self._files[number], variable.name)
            for series in self._series
            for number, variable in series.variables.items()
        ]

    def _one_grid(self) -> Grid:
        (first, variable), *others = self._parts()
        grid = first.grid(variable).grid
        for file, name in others:
            if not same_grid(file.grid(name).grid, grid):
                raise BaryonError(
                    f"{file.path}: {name} is on another grid than {variable} in {first.path}: give "
                    "one grid"
                )
        return grid

    def _require_gapless(self, allowed: bool) -> None:
        """Refuse a file that is missing in the middle, or warn of it if gaps are `allowed`."""
        missing = np.flatnonzero(gaps(self.times))
        if not len(missing):
            return
        first = int(missing[0])
        step = (self.times[first + 1] - self.times[first]) / HOUR
        fault = (
            f"{len(missing)} gap{'s' if len(missing) > 1 else ''} in time, the first of {step:g} "
            f"hours, where {usual_step(self.times) / HOUR:g} are usual, between "
            f"{self.place(first)}, and {self.place(first + 1)}"
        )
        # a file that is missing in the middle is seldom meant, and nothing shows it later: windows
        # just become fewer; where it is meant (seasons), the option says so
        if not allowed:
            raise BaryonError(
                f"{fault}: give the files that are missing, or allow gaps with "
                "dataset.allow_gaps=true (no window then spans one)"
            )
        warn(fault)

    def _warn_of_unwritten(self) -> None:
        for file, name in sorted(set(self._parts()), key=lambda part: (part[0].path, part[1])):
            fault = file.unwritten(name)
            if fault is not None:
                warn(fault)

    @property
    def file_order(self) -> FileOrder:
        """Where the rows and columns of frames are in the first file."""
        file, variable = self._parts()[0]
        return file.grid(variable).order

    def __len__(self) -> int:
        return len(self.times)

    def chunk_starts(self) -> Sequence[int]:
        """Every frame: xarray reads the parts of chunks that it needs."""
        return range(len(self))

    def read(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Read frames start..stop-1 in the channels' units."""
        # each channel may come from files of its own
        frames = np.empty((stop - start, *self.shape), np.float32)
        for channel, series in enumerate(self._series):
            for first, last in series.runs(start, stop):
                frames[first - start : last - start, channel] = self._read(series, first, last)
        return frames

    def _read(self, series: Series, first: int, last: int) -> npt.NDArray[np.float32]:
        try:
            return series.read(self._files, first, last)
        except (OSError, RuntimeError, ValueError) as error:
            raise BaryonError(
                f"{series.place(self._files, first)}, cannot be read ({format_error(error)}): is "
                "the file damaged? compare its size or checksum with the original's"
            ) from error

    def place(self, frame: int, channel: int = 0) -> str:
        """Return the file of a frame's channel and the step in it."""
        return self._series[channel].place(self._files, frame)

    def stored(self) -> Sequence[StorageInfo]:
        """Return nothing: xarray hides how files are laid out."""
        return ()

    def fingerprint(self) -> str:
        """Return a hash of absolute names, sizes, times of change and variables."""
        versions = [_version(file.path) for file in self._files]
        variables = [sorted(series.variables.items()) for series in self._series]
        return hashlib.sha256(repr((versions, variables)).encode()).hexdigest()[:16]

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


def _version(path: Path) -> tuple[str, int, int]:
    """Return name, size and time of change; of a Zarr store those of all its files."""
    parts = [part for part in path.rglob("*") if part.is_file()] if path.is_dir() else [path]
    stats = [part.stat() for part in parts]
    return (
        str(path.resolve()),
        sum(stat.st_size for stat in stats),
        max(stat.st_mtime_ns for stat in stats),
    )
