"""GRIB 1 and 2 as a lazily read `xarray.Dataset`, through ECMWF's ecCodes.

Messages of one quantity and kind of level become a variable of (time, level, latitude, longitude),
named as ecCodes names it in CF files (`t`, `u`, `msl`, `t2m`); of several kinds of level the one on
pressure levels keeps the name, the others are called `t_surface` and so on. A time is that at which
a field is valid. Only the headers are read here; values are decoded when they are asked for, both
by a process of its own (`grib_process`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError
from baryon.terminal.console import warn
from baryon_climate.dataset.grib_codes import (
    GRID_DEGREES,
    GRID_NUMBERS,
    GRID_SCANNING,
    REGULAR,
)
from baryon_climate.dataset.grib_process import read_field, read_headers

MAGIC = b"GRIB"
UNKNOWN = "unknown"
"""Name of a quantity that is in none of ecCodes's tables."""
PRESSURE_LEVELS = "isobaricInhPa"
TIME_UNITS = "minutes since 1900-01-01 00:00:00"
STANDARD_NAMES = {
    "prmsl": "air_pressure_at_mean_sea_level",
    "pwat": "atmosphere_mass_content_of_water_vapor",
    "tcwv": "atmosphere_mass_content_of_water_vapor",
}
"""Of quantities for which ecCodes has none."""
UNITS = {"gpm": "m"}
"""A geopotential metre is the metre of geopotential heights."""
TIME_ATTRIBUTES = {
    "standard_name": "time",
    "units": TIME_UNITS,
    "calendar": "proleptic_gregorian",
}
PRESSURE_ATTRIBUTES = {"standard_name": "air_pressure", "units": "hPa", "axis": "Z"}
BY_ROWS = (0, 0)
"""`jPointsAreConsecutive` and `alternativeRowScanning` of fields that are stored row by row."""


@dataclass(frozen=True, slots=True)
class Message:
    """What the header of a message says."""

    offset: int
    """Bytes before it in the file."""
    part: int
    """Place among the fields of its message: GRIB 2 may hold the two winds in one."""
    name: str
    standard_name: str
    units: str
    level_kind: str
    level: float
    minutes: int
    """Since 1900, as `TIME_UNITS`."""
    member: int
    grid: tuple[str | float, ...]
    """Kind, rows, columns, and latitude and longitude of the first and the last point."""


def open_grib(path: Path) -> Any:
    """Return the fields of a file on regular grids as `xarray.Dataset`; times are not decoded.

    Raises `BaryonError` for a file that is cut off, or of which no field is on a regular grid, and
    `ImportError` without ecCodes. Members of an ensemble are left out with a warning.
    """
    import xarray

    about = path.stat()
    messages = _scan(path, about.st_mtime_ns, about.st_size)
    regular = [
        m for m in messages if m.grid[0] == REGULAR and m.grid[-2:] == BY_ROWS and m.name != UNKNOWN
    ]
    if not regular:
        kinds = ", ".join(sorted({str(message.grid[0]) for message in messages})) or "none"
        raise BaryonError(
            f"{path} holds no field on a regular grid of latitude and longitude (grids: {kinds}): "
            "remap it first, with cdo remapbil,r1440x721 for example"
        )
    axes = _Axes()
    variables: dict[str, Any] = {}
    members: list[str] = []
    for name, group in _variables(regular):
        if len({(m.minutes, m.level) for m in group}) < len(group):
            # members of an ensemble; else layers with the same top, of which no channel is
            members += [name] if len({m.member for m in group}) > 1 else []
            continue
        variable = _variable(path, group, axes)
        if variable is not None:
            variables[name] = variable
    if members:
        warn(
            f"{path}: {', '.join(members)} are of several members of an ensemble: left out; choose "
            "one with grib_copy -w number=0 for example"
        )
    return xarray.Dataset(variables, axes.coordinates)


@lru_cache(maxsize=64)  # a file is opened several times, and the headers take a second
def _scan(path: Path, changed: int, size: int) -> Sequence[Message]:
    """Read the headers of a file, which is as it was at the time `changed`."""
    del changed, size  # of the cache's key only
    return [_message(header) for header in read_headers(path)]


def _message(header: Mapping[str, Any]) -> Message:
    kind = header["gridType"]
    keys = (*GRID_NUMBERS, *GRID_DEGREES, *GRID_SCANNING) if kind == REGULAR else ()
    name = header["cfVarName"] if header["cfVarName"] != UNKNOWN else header["shortName"]
    return Message(
        offset=header["offset"],
        part=header["part"],
        name=name,
        standard_name=STANDARD_NAMES.get(name, header["cfName"]),
        units=UNITS.get(header["units"], header["units"]),
        level_kind=header["typeOfLevel"],
        level=header["level"],
        minutes=header["minutes"],
        member=header["member"],
        grid=(kind, *(header[key] for key in keys)),
    )


def _variables(messages: Iterable[Message]) -> Iterator[tuple[str, list[Message]]]:
    """Yield the messages of each variable, with its name."""
    groups: dict[tuple[str, str, tuple[str | float, ...]], list[Message]] = defaultdict(list)
    for message in messages:
        groups[message.name, message.level_kind, message.grid].append(message)
    uses = Counter(name for name, _, _ in groups)
    taken: set[str] = set()
    ordered = sorted(groups.items(), key=lambda item: item[0][1] != PRESSURE_LEVELS)
    for (name, kind, _), group in ordered:
        alone = uses[name] == 1 or (kind == PRESSURE_LEVELS and name not in taken)
        unique = name if alone else f"{name}_{kind}"
        while unique in taken:  # the same on another grid
            unique += "_2"
        taken.add(unique)
        yield unique, group


@dataclass
class _Axes:
    """The axes of a file: those with the same values are one."""

    coordinates: dict[str, Any] = field(default_factory=dict)
    _names: dict[tuple[Any, ...], str] = field(default_factory=dict)

    def name(self, kind: str, values: Sequence[Any], attributes: Mapping[str, str]) -> str:
        """Return the name of an axis; the first of its kind has the kind's name."""
        key = (kind, *values)
        if key not in self._names:
            name, number = kind, 2
            while name in self.coordinates:
                name, number = f"{kind}_{number}", number + 1
            self._names[key] = name
            self.coordinates[name] = (name, np.asarray(values), dict(attributes))
        return self._names[key]


def _variable(path: Path, group: Sequence[Message], axes: _Axes) -> Any:
    """Return a variable of the levels that all times have; None if there is no such level."""
    import xarray
    from xarray.core import indexing

    times = sorted({message.minutes for message in group})
    at = {(message.minutes, message.level): message for message in group}
    levels = sorted({m.level for m in group if all((time, m.level) in at for time in times)})
    if not levels:
        return None
    first = group[0]
    pressure = first.level_kind == PRESSURE_LEVELS
    # one pressure is an axis too: a scalar coordinate would belong to all variables of the file
    vertical = pressure or len(levels) > 1
    height, width = int(first.grid[1]), int(first.grid[2])
    dimensions = [axes.name("time", times, TIME_ATTRIBUTES)]
    if vertical:
        about = PRESSURE_ATTRIBUTES if pressure else {"axis": "Z"}
        dimensions.append(axes.name(first.level_kind, levels, about))
    dimensions += [
        axes.name("latitude", _degrees(first.grid, 3, height), {"units": "degrees_north"}),
        axes.name("longitude", _degrees(first.grid, 4, width), {"units": "degrees_east"}),
    ]
    places = [
        [(at[time, level].offset, at[time, level].part) for level in levels] for time in times
    ]
    shape = (len(times), *((len(levels),) if vertical else ()), height, width)
    array = _array(path, shape, np.array(places, np.int64).reshape(*shape[:-2], 2))
    attributes = {"standard_name": first.standard_name, "units": first.units}
    return xarray.Variable(dimensions, indexing.LazilyIndexedArray(array), attributes)


def _degrees(grid: tuple[str | float, ...], first: int, count: int) -> list[float]:
    start, stop = float(grid[first]), float(grid[first + 2])
    if first == 4:
        westward = bool(grid[7])
        stop += 360.0 if stop < start and not westward else 0.0
    return list(map(float, np.linspace(start, stop, count)))


def _array(path: Path, shape: tuple[int, ...], places: npt.NDArray[np.int64]) -> Any:
    from xarray.backends import BackendArray
    from xarray.core import indexing

    class Fields(BackendArray):
        """The values of a variable; each message is decoded when it is read."""

        def __init__(self) -> None:
            self.shape, self.dtype = shape, np.dtype(np.float32)

        def __getitem__(self, key: Any) -> Any:
            support = indexing.IndexingSupport.BASIC
            return indexing.explicit_indexing_adapter(key, self.shape, support, self._read)

        def _read(self, key: tuple[Any, ...]) -> npt.NDArray[np.float32]:
            chosen = places[key[:-2]]
            fields = [
                read_field(path, int(place[0]), int(place[1]), shape[-2:])
                for place in chosen.reshape(-1, 2)
            ]
            whole = np.stack(fields).reshape(*chosen.shape[:-1], *shape[-2:])
            return whole[(..., *key[-2:])]

    return Fields()
