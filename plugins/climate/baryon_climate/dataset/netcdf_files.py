"""CF NetCDF files and Zarr stores as a run of frames, through xarray."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon.data.stored import Stored
from baryon.errors import BaryonError, told
from baryon.reporting.console import warn
from baryon_climate.dataset.calendar import HOUR, TIME_UNITS
from baryon_climate.dataset.cf_variables import Variable, match
from baryon_climate.fields import Channel
from baryon_climate.grid import Grid
from baryon_climate.storms import FileOrder

EXTRA = ("xarray", "h5netcdf", "zarr", "cftime", "scipy")
UNEVEN = 0.25
"""Share of a pixel that rows and columns may be off a regular grid."""
STANDARD = {"standard": "proleptic_gregorian", "gregorian": "proleptic_gregorian"}


class NetcdfFiles:
    """The frames of several files, in the order of time, south first.

    It can be pickled: whoever it is sent to opens the files anew.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        channels: Sequence[Channel],
        variables: Mapping[str, str],
        *,
        allow_gaps: bool,
    ) -> None:
        opened = [_open(path) for path in paths]
        times = [_times(one, path) for one, path in zip(opened, paths, strict=True)]
        order = sorted(range(len(paths)), key=lambda number: times[number][1][0])
        self.paths = [paths[number] for number in order]
        self._opened = [opened[number] for number in order]
        self.calendar = _one_calendar([(self.paths[n], times[i][0]) for n, i in enumerate(order)])
        self.times = np.concatenate([times[number][1] for number in order])
        self._starts = np.cumsum([0, *(len(times[number][1]) for number in order)])
        _require_ascending(self.times, self.paths)
        where = str(self.paths[0])
        self._variables = [
            match(one, channels, variables, str(path))
            for one, path in zip(self._opened, self.paths, strict=True)
        ]
        self._axes = _axes(self._opened[0], self._variables[0][0], where)
        self.grid, self._flipped = _grid(self._opened[0], *self._axes, where)
        self._require_one_grid()
        self._require_gapless(allow_gaps)
        self.shape: tuple[int, int, int] = (len(channels), self.grid.height, self.grid.width)

    def _require_gapless(self, allowed: bool) -> None:
        """A file that is missing in the middle is refused, or told of if gaps are `allowed`."""
        steps = np.diff(self.times)
        usual = _usual(steps)
        gaps = np.flatnonzero(steps != usual)
        if not len(gaps):
            return
        before, after = (self.place(int(gaps[0]) + n) for n in (0, 1))
        told = (
            f"{len(gaps)} gap{'s' if len(gaps) > 1 else ''} in time, the first of "
            f"{steps[gaps[0]] / HOUR:g} hours, where {usual / HOUR:g} are usual, between {before}, "
            f"and {after}"
        )
        if not allowed:
            raise BaryonError(
                f"{told}: give the files that are missing, or allow gaps with "
                "dataset.allow_gaps=true (no window then spans one)"
            )
        warn(told)

    def __getstate__(self) -> dict[str, Any]:
        """All but open files."""
        return {key: value for key, value in self.__dict__.items() if key != "_opened"}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        self._opened = [_open(path) for path in self.paths]

    def _require_one_grid(self) -> None:
        for one, path in zip(self._opened[1:], self.paths[1:], strict=True):
            other, flipped = _grid(one, *self._axes, str(path))
            if flipped != self._flipped or other != self.grid:
                raise BaryonError(f"{path} is on another grid than {self.paths[0]}: give one grid")

    @property
    def file_order(self) -> FileOrder:
        """Where the rows and columns of frames are in the files."""
        rows = np.arange(self.grid.height)
        return FileOrder(rows[::-1] if self._flipped else rows, np.arange(self.grid.width))

    def __len__(self) -> int:
        return int(self._starts[-1])

    def chunk_starts(self) -> Sequence[int]:
        """Every frame: xarray reads the parts of chunks that it needs."""
        return range(len(self))

    def read(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Frames start..stop-1 in the channels' units."""
        frames = np.empty((stop - start, *self.shape), np.float32)
        for number, (low, high) in enumerate(zip(self._starts, self._starts[1:], strict=False)):
            first, last = max(start, int(low)), min(stop, int(high))
            if first < last:
                steps = slice(first - int(low), last - int(low))
                self._read_one(number, steps, frames[first - start : last - start])
        return frames

    def _read_one(self, number: int, steps: slice, into: npt.NDArray[np.float32]) -> None:
        latitude, longitude = self._axes
        for channel, variable in enumerate(self._variables[number]):
            array = self._opened[number][variable.name]
            if variable.level_axis:
                array = array.isel({variable.level_axis: variable.level})
            try:
                values = array.isel(time=steps).transpose("time", latitude, longitude).values
            except (OSError, RuntimeError, ValueError) as error:
                raise BaryonError(
                    f"{self.paths[number]}: {variable.name} cannot be read ({told(error)}): fetch "
                    "the file again"
                ) from error
            if self._flipped:
                values = values[:, ::-1]
            into[:, channel] = values
            if (variable.factor, variable.offset) != (1.0, 0.0):
                into[:, channel] *= variable.factor
                into[:, channel] += variable.offset

    def place(self, frame: int) -> str:
        """The file and the step in it."""
        number = int(np.searchsorted(self._starts, frame, side="right")) - 1
        return f"{self.paths[number]}, step {frame - int(self._starts[number])}"

    def stored(self) -> Sequence[Stored]:
        """Nothing: xarray hides it."""
        return ()

    def fingerprint(self) -> str:
        """Of absolute names, sizes and times of change, and of the variables."""
        versions = [_version(path) for path in self.paths]
        return hashlib.sha256(repr((versions, self._variables)).encode()).hexdigest()[:16]

    def close(self) -> None:
        """Close the files."""
        for one in self._opened:
            one.close()


def _open(path: Path) -> Any:
    try:
        import xarray
    except ImportError as error:
        raise BaryonError(
            f"dataset=climate_netcdf needs {', '.join(EXTRA)}: pip install 'baryon[climate]'"
        ) from error
    engine = _engine(path)
    options: dict[str, Any] = {"consolidated": False} if engine == "zarr" else {}
    try:
        opened = xarray.open_dataset(
            path,
            engine=engine,
            decode_times=xarray.coders.CFDatetimeCoder(use_cftime=True),
            chunks=None,
            cache=False,
            **options,
        )
    except Exception as error:
        raise BaryonError(
            f"{path} cannot be read as {'Zarr' if engine == 'zarr' else 'NetCDF'} ({told(error)}): "
            "fetch it again"
        ) from error
    name = next((n for n in opened.coords if _is_time(opened[n])), "time")
    return opened if name == "time" else opened.rename({name: "time"})


def _engine(path: Path) -> Any:
    """By the first bytes: classic NetCDF, as CAM5 writes it, is no HDF5."""
    if path.is_dir():
        return "zarr"
    with path.open("rb") as file:
        return "scipy" if file.read(3) == b"CDF" else "h5netcdf"


def _is_time(coordinate: Any) -> bool:
    """The axis of time; new files of ERA5 call it valid_time."""
    its_own = coordinate.dims == (coordinate.name,)
    return bool(its_own and coordinate.attrs.get("standard_name") == "time")


def _times(opened: Any, path: Path) -> tuple[str, npt.NDArray[np.int64]]:
    """The calendar and the seconds of all steps."""
    import cftime

    time = opened.get("time")
    if time is None or time.ndim != 1 or not len(time):
        raise BaryonError(f"{path} has no axis `time` with steps on it")
    first = time.values[0]
    if not isinstance(first, cftime.datetime):
        raise BaryonError(f"{path}: its `time` has no units such as `hours since 1979-01-01`")
    days = STANDARD.get(first.calendar, first.calendar)
    seconds = cftime.date2num(time.values, TIME_UNITS, first.calendar)
    return days, np.rint(np.asarray(seconds, float)).astype(np.int64)


def _one_calendar(found: Sequence[tuple[Path, str]]) -> str:
    first = found[0][1]
    for path, other in found:
        if other != first:
            raise BaryonError(
                f"{path} is in the calendar {other!r}, but {found[0][0]} in {first!r}: give files "
                "of one calendar"
            )
    return first


def _require_ascending(times: npt.NDArray[np.int64], paths: Sequence[Path]) -> None:
    gaps = np.diff(times)
    among = f"{paths[0]}" + (f" and {len(paths) - 1} more files" if len(paths) > 1 else "")
    if (gaps <= 0).any():
        raise BaryonError(
            f"{among}: the time of step {int(np.argmax(gaps <= 0)) + 1} is not after the one "
            "before: files overlap, or one is there twice"
        )


def _usual(steps: npt.NDArray[np.int64]) -> int:
    """Seconds from frame to frame: what occurs most often, of equals the least."""
    values, counts = np.unique(steps, return_counts=True)
    return int(values[np.argmax(counts)]) if len(values) else 0


def _axes(opened: Any, variable: Variable, where: str) -> tuple[str, str]:
    """The names of the axes of latitude and longitude."""
    dims = [str(name) for name in opened[variable.name].dims]
    found = []
    for kind, unit in (("latitude", "degrees_north"), ("longitude", "degrees_east")):
        its = [
            name
            for name in dims
            if name in opened.coords
            and (
                opened[name].attrs.get("standard_name") == kind
                or opened[name].attrs.get("units") == unit
                or kind.startswith(name.lower())
            )
        ]
        if len(its) != 1:
            raise BaryonError(
                f"{where}: {variable.name} has the axes {', '.join(dims)}, none of which is the "
                f"{kind}: it needs an axis with units {unit!r}; remap other grids first"
            )
        found.append(its[0])
    return found[0], found[1]


def _grid(opened: Any, latitude: str, longitude: str, where: str) -> tuple[Grid, bool]:
    """The grid, south first, and whether the file has the north first."""
    north = np.asarray(opened[latitude].values, float)
    flipped = bool(north[0] > north[-1])
    first, step = _regular(north[::-1] if flipped else north, where, latitude)
    east = np.rad2deg(np.unwrap(np.deg2rad(np.asarray(opened[longitude].values, float))))
    west, across = _regular(east, where, longitude)
    cyclic = abs(len(east) * across - 360) < 0.5 * across
    return Grid(len(north), len(east), first, step, west % 360, across, cyclic), flipped


def _regular(values: npt.NDArray[np.float64], where: str, name: str) -> tuple[float, float]:
    """The first value and the step. Raises `BaryonError` if they are not evenly spaced."""
    if len(values) < 2:
        raise BaryonError(f"{where}: {name} has {len(values)} values: a grid needs more")
    step = float(values[-1] - values[0]) / (len(values) - 1)
    apart = np.abs(values - (values[0] + step * np.arange(len(values)))).max()
    if not step > 0 or apart > UNEVEN * step:
        raise BaryonError(
            f"{where}: {name} is not evenly spaced and ascending (off by {apart:.3g} degrees): "
            "remap to a regular grid first, with cdo remapbil,r1152x768 for example"
        )
    return float(values[0]), step


def _version(path: Path) -> tuple[str, int, int]:
    """Of a Zarr store that of its youngest file."""
    parts = [one for one in path.rglob("*") if one.is_file()] if path.is_dir() else [path]
    stats = [one.stat() for one in parts]
    return (
        str(path.resolve()),
        sum(one.st_size for one in stats),
        max(one.st_mtime_ns for one in stats),
    )
