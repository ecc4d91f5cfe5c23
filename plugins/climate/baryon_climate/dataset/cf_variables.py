"""Which variable of a CF data set is which channel, and in which units it comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from baryon.errors import BaryonError, one_of
from baryon_climate.fields import CHANNELS, NAMES, Channel

UNITS: Mapping[str, tuple[str, float, float]] = {
    "hPa": ("Pa", 100.0, 0.0),
    "mbar": ("Pa", 100.0, 0.0),
    "millibars": ("Pa", 100.0, 0.0),
    "g/kg": ("kg/kg", 1e-3, 0.0),
    "degC": ("K", 1.0, 273.15),
    "celsius": ("K", 1.0, 273.15),
    "mm/day": ("m/s", 1e-3 / 86400, 0.0),
    "mm/s": ("m/s", 1e-3, 0.0),
    "kg/m2/s": ("m/s", 1e-3, 0.0),
    "km": ("m", 1e3, 0.0),
    "mm": ("kg/m2", 1.0, 0.0),
    "m2/s2": ("m", 1 / 9.80665, 0.0),
}
"""Unit -> the channel's unit, factor and offset; a millimetre of water weighs 1 kg/m2, and
geopotential over standard gravity is height."""
LEVEL_NAMES = ("lev", "plev", "level", "pressure", "pressure_level", "isobaricInhPa", "height")


@dataclass(frozen=True, slots=True)
class Variable:
    """Where a channel comes from."""

    channel: Channel
    name: str
    level_axis: str | None
    level: int
    """Its number along that axis."""
    factor: float
    offset: float


def chosen(names: Sequence[str] | None) -> list[Channel]:
    """The channels of a data set, in the order given; all 16 if none are named."""
    wanted = list(NAMES) if names is None else list(names)
    unknown = [name for name in wanted if name not in NAMES]
    if unknown or not wanted or len(set(wanted)) < len(wanted):
        fault = f"{unknown[0]!r} is unknown" if unknown else "each channel once, one at least"
        raise BaryonError(
            f"dataset.channels={wanted}: {fault}; {one_of(NAMES, unknown[0] if unknown else '')}"
        )
    return [CHANNELS[NAMES.index(name)] for name in wanted]


def match(
    opened: Any, channels: Sequence[Channel], told: Mapping[str, str], where: str
) -> list[Variable]:
    """The variable of each channel in an opened `xarray.Dataset`.

    By `told`, then by name, then by CF standard name and level. Raises `BaryonError` that lists
    every channel for which there is none, or more than one.
    """
    strangers = sorted(set(told) - set(NAMES))
    if strangers:
        raise BaryonError(f"dataset.variables: no channel {strangers[0]!r}; {one_of(NAMES)}")
    found: list[Variable] = []
    faults: list[str] = []
    for channel in channels:
        names = _candidates(opened, channel, told)
        if len(names) == 1:
            found.append(_variable(opened, channel, names[0], where))
        elif names:
            faults.append(f"{channel.name} may be {' or '.join(names)}")
        else:
            faults.append(f"{channel.name} ({channel.long_name})")
    if faults:
        raise BaryonError(
            f"{where}: no variable, or no single one, for {'; '.join(faults)}; the file has "
            f"{', '.join(sorted(map(str, opened.data_vars)))}: name them such as "
            "dataset.variables.TMQ=tcwv, or choose others with dataset.channels=[...]"
        )
    return found


def _candidates(opened: Any, channel: Channel, told: Mapping[str, str]) -> list[str]:
    names = [str(name) for name in opened.data_vars]
    if channel.name in told:
        return [name for name in names if name == told[channel.name]]
    same = [name for name in names if name.lower() == channel.name.lower()]
    if same:
        return same[:1]
    return [name for name in names if _fits(opened, opened[name], channel)]


def _fits(opened: Any, variable: Any, channel: Channel) -> bool:
    """By standard name; a channel on a pressure level needs it, another must have no levels."""
    if variable.attrs.get("standard_name") not in channel.standard_names:
        return False
    axis = level_axis(variable)
    if channel.level is None:
        return axis is None and "depth" not in variable.dims
    if axis is None:
        return False
    return bool((np.abs(_pressures(opened[axis]) - channel.level) < 1).any())


def level_axis(variable: Any) -> str | None:
    """The name of its vertical axis, if it has one."""
    return next((str(name) for name in variable.dims if name in LEVEL_NAMES), None)


def _pressures(axis: Any) -> Any:
    """Levels in hPa."""
    units = axis.attrs.get("units", "hPa")
    return np.asarray(axis.values, float) / (100 if units == "Pa" else 1)


def _variable(opened: Any, channel: Channel, name: str, where: str) -> Variable:
    variable = opened[name]
    axis, level = level_axis(variable), 0
    if axis is not None:
        if channel.level is None:
            raise BaryonError(f"{where}: {name} has levels ({axis}), but {channel.name} has none")
        apart = np.abs(_pressures(opened[axis]) - channel.level)
        level = int(apart.argmin())
        if apart[level] >= 1:
            raise BaryonError(f"{where}: {name} has no level at {channel.level:g} hPa ({axis})")
    factor, offset = _conversion(variable, channel, where)
    return Variable(channel, name, axis, level, factor, offset)


def _conversion(variable: Any, channel: Channel, where: str) -> tuple[float, float]:
    """To the channel's unit. Raises `BaryonError` for a unit that is not known to convert."""
    given = variable.attrs.get("units")
    if given is None or _plain(given) == _plain(channel.unit):
        return 1.0, 0.0
    for unit, (to, factor, offset) in UNITS.items():
        if _plain(unit) == _plain(given) and to == channel.unit:
            return factor, offset
    raise BaryonError(
        f"{where}: {variable.name} is in {given!r}, but {channel.name} is in {channel.unit!r}: "
        "convert it, or put its units right"
    )


def _plain(unit: str) -> str:
    """One spelling of a unit: `kg m-2 s-1`, `kg m**-2 s**-1` and `kg/m2/s` are the same."""
    words = unit.replace("**", "").replace("^", "").replace(".", " ").split()
    if words[:2] == ["m", "of"]:
        words = ["m"]
    over = [word for word in words if not word[-1].isdigit() or "-" not in word]
    under = [word.replace("-1", "").replace("-", "") for word in words if word not in over]
    return "/".join([" ".join(over), *under]).lower()
