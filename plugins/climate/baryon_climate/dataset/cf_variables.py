"""Which variable of a CF file is which channel, and how its values become the channel's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError, did_you_mean
from baryon_climate.dataset.cf_file import CfFile
from baryon_climate.dataset.cf_levels import Levels, levels
from baryon_climate.dataset.unit_conversion import conversion
from baryon_climate.fields import CHANNELS, NAMES, Channel

VERSIONS = "expver"
"""ERA5's dimension of preliminary (5) and final (1) data, each missing where the other is."""
QUANTITIES: Mapping[str, str] = {
    "TMQ": "1000 kg m-3",  # a depth of water, to its mass
    "PRECT": "1e-3 m3 kg-1",  # a mass of water, to its depth
    "Z1000": "s2 (9.80665 m)-1",  # geopotential, to height
    "Z200": "s2 (9.80665 m)-1",
    "ZBOT": "s2 (9.80665 m)-1",
}
"""What a channel's variable may be multiplied by to be in the channel's units."""


@dataclass(frozen=True, slots=True)
class Variable:
    """Where a channel comes from in a file."""

    channel: Channel
    name: str
    by_name: bool
    """Whether it was named, not told from its CF standard name."""
    selection: tuple[tuple[str, int], ...]
    """Dimensions and the place on them that is read: levels, and dimensions of size one."""
    versions: tuple[int, ...]
    """Places along `expver`, the best first; none: there is no such dimension."""
    factor: float
    offset: float

    def read(self, file: CfFile, steps: slice | Sequence[int]) -> npt.NDArray[Any]:
        """Return (steps, rows, columns) in the channel's units and in the order of frames."""
        grid, dimension = file.grid(self.name), file.times(self.name).dimension
        array = file.dataset[self.name].isel(dict(self.selection))
        array = array.isel({dimension: steps}) if dimension else array.expand_dims("_time")
        order = [dimension or "_time", grid.latitude, grid.longitude]
        if self.versions:
            values = array.transpose(VERSIONS, *order).values
            merged = values[self.versions[0]]
            # final data where there are any, preliminary ones elsewhere
            for version in self.versions[1:]:
                merged = np.where(np.isnan(merged), values[version], merged)
        else:
            merged = array.transpose(*order).values
        arranged = grid.arrange(merged)
        if (self.factor, self.offset) == (1.0, 0.0):
            return arranged
        return arranged * np.float32(self.factor) + np.float32(self.offset)


def chosen(names: Sequence[str] | None) -> list[Channel]:
    """Return the channels of a data set, in the order given; all 16 if none are named."""
    wanted = list(NAMES) if names is None else list(names)
    unknown = [name for name in wanted if name not in NAMES]
    if unknown or not wanted or len(set(wanted)) < len(wanted):
        fault = f"{unknown[0]!r} is unknown" if unknown else "each channel once, one at least"
        raise BaryonError(
            f"dataset.channels={wanted}: {fault}; "
            f"{did_you_mean(NAMES, unknown[0] if unknown else '')}"
        )
    return [CHANNELS[NAMES.index(name)] for name in wanted]


def find(file: CfFile, channel: Channel, named: str | None) -> Variable | None:
    """Return the variable of a channel in a file: `named`, or so called, or by CF standard name.

    Raises `BaryonError` if several fit, and if the one that is named cannot be used.
    """
    wanted = named or channel.name
    alike = [name for name in file.variables() if name.lower() == wanted.lower()]
    names = sorted(alike, key=lambda name: name != wanted)  # of TAS and tas the one so written
    if names or named:
        return _variable(file, channel, names[0], by_name=True) if names else None
    names = [name for name in file.variables() if _misfit(file, name, channel) == ""]
    if len(names) > 1:
        raise BaryonError(
            f"{file.path}: {channel.name} may be {' or '.join(names)}: name it, with "
            f"dataset.variables.{channel.name}={names[0]} for example"
        )
    return _variable(file, channel, names[0], by_name=False) if names else None


def misfits(file: CfFile, channel: Channel) -> list[str]:
    """Describe the variables that measure what a channel does, but elsewhere in the vertical."""
    reasons = (_misfit(file, name, channel) for name in file.variables())
    return [reason for reason in reasons if reason]


def _misfit(file: CfFile, name: str, channel: Channel) -> str | None:
    """Say why a variable is not the channel: "" if it is, None if it is another quantity."""
    variable = file.dataset[name]
    if variable.attrs.get("standard_name") not in channel.standard_names:
        return None
    vertical = levels(file.dataset, variable, file.other_dimensions(name))
    if channel.level is None:
        at_one_height = vertical is None or (vertical.size == 1 and vertical.pressures is None)
        return "" if at_one_height and "depth" not in variable.dims else f"{name} has levels"
    if vertical is None:
        return f"{name} has no levels"
    if vertical.number_of(channel.level) is None:
        return _no_level(name, vertical, channel.level)
    return ""


def _no_level(name: str, vertical: Levels, level: float) -> str:
    if vertical.pressures is None:
        return (
            f"{name} has the vertical axis {vertical.name} ({vertical.kind}), no pressures: "
            f"interpolate it to {level:g} hPa first, with cdo ml2pl for example"
        )
    some = ", ".join(f"{pressure:g}" for pressure in vertical.pressures[:12])
    return f"{name} has no level at {level:g} hPa ({vertical.name}: {some})"


def _variable(file: CfFile, channel: Channel, name: str, *, by_name: bool) -> Variable:
    variable, where = file.dataset[name], f"{file.path}: "
    others = file.other_dimensions(name)
    selection = {dim: 0 for dim in others if variable.sizes[dim] == 1}
    vertical = levels(file.dataset, variable, others)
    if vertical is not None and (vertical.size > 1 or vertical.pressures is not None):
        if channel.level is None and vertical.size > 1:
            raise BaryonError(
                f"{where}{name} has levels ({vertical.name}), but {channel.name} has none"
            )
        if channel.level is not None:
            number = vertical.number_of(channel.level)
            if number is None:
                raise BaryonError(where + _no_level(name, vertical, channel.level))
            if vertical.dimension is not None:
                selection[vertical.dimension] = number
    versions = _versions(variable, others)
    long = [dim for dim in others if dim not in selection and (dim != VERSIONS or not versions)]
    if long:
        raise BaryonError(
            f"{where}{name} has {variable.sizes[long[0]]} fields a time along {long[0]!r}: choose "
            f"one, with ncks -d {long[0]},0 for example"
        )
    factor, offset = _conversion(variable, channel, where)
    return Variable(
        channel, name, by_name, tuple(sorted(selection.items())), versions, factor, offset
    )


def _versions(variable: Any, dimensions: Sequence[str]) -> tuple[int, ...]:
    """Return the places along `expver`, final data (the lowest number) first."""
    if VERSIONS not in dimensions or variable.sizes[VERSIONS] == 1:
        return ()
    numbers = np.asarray(variable[VERSIONS].values).astype(str).astype(int)
    return tuple(np.argsort(numbers).tolist())


def _conversion(variable: Any, channel: Channel, where: str) -> tuple[float, float]:
    """Return factor and offset to the channel's unit; without units it is taken to have that.

    Raises `BaryonError` for a unit that does not convert.
    """
    unit = variable.attrs.get("units")
    if unit is None:
        return 1.0, 0.0
    factors = conversion(str(unit), channel.unit)
    if factors is None and channel.name in QUANTITIES:
        factors = conversion(str(unit), channel.unit, QUANTITIES[channel.name])
    if factors is None:
        raise BaryonError(
            f"{where}{variable.name} is in {unit!r}, but {channel.name} is in {channel.unit!r}: "
            "convert it, or put its units right"
        )
    return factors
