"""Pressure and wind of a single storm.

Tropical: Holland, Mon. Weather Rev. 108 (1980) 1212, in gradient balance. Extratropical: a smooth
low in gradient balance, drawn out along an axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from baryon_climate.generation.patch import Patch

AIR = 1.15
"""kg/m3 near the surface."""
EARTH_SPIN = 7.292e-5
"""1/s, the Earth's angular velocity."""
REACH = 1300.0
"""km that a tropical cyclone's fields reach to."""
Value = Any


def coriolis(latitude: float) -> float:
    """Return the Coriolis parameter (1/s) without sign, not below that of 4 degrees."""
    return float(2 * EARTH_SPIN * np.sin(np.radians(max(abs(latitude), 4.0))))


def fading(radius: Value, reach: float) -> Value:
    """Return a factor that is 1 at the centre and falls smoothly to 0 at `reach`."""
    part = np.clip((reach - radius) / (0.6 * reach), 0, 1)
    return part * part * (3 - 2 * part)


def holland(
    radius: Value, wind: float, core: float, shape: float, latitude: float
) -> tuple[Value, Value]:
    """Return pressure below the surroundings (Pa, negative) and tangential wind (m/s).

    `radius` is in km; `wind` is the largest one, at `core` km; `shape` is Holland's B.
    """
    depth = wind**2 * AIR * np.e / shape
    ratio = (core / radius) ** shape
    bell = np.exp(-ratio)
    # gradient wind: centrifugal and Coriolis force balance the pressure gradient
    turning = coriolis(latitude) * radius * 1000 / 2
    speed = np.sqrt(shape * depth / AIR * ratio * bell + turning**2) - turning
    fade = fading(radius, REACH)
    return depth * (bell - 1) * fade, speed * fade


def low(
    patch: Patch, depth: float, scale: float, span: float, angle: float, latitude: float
) -> tuple[Value, Value]:
    """Return pressure (Pa below the surroundings) and tangential wind (m/s) of a smooth low."""
    along = patch.x * np.cos(angle) + patch.y * np.sin(angle)
    across = patch.y * np.cos(angle) - patch.x * np.sin(angle)
    root = np.sqrt(span)
    radius = np.maximum(np.hypot(along / root, across * root), 1.0)
    # pressure falls as 1 / (1 + r²): a smooth centre, and a wide skirt as lows have
    part = (radius / scale) ** 2
    fade = fading(radius, 3.2 * scale)
    slope = 2 * depth * radius / scale**2 / (1 + part) ** 2 / 1000  # Pa/m
    turning = coriolis(latitude) * radius * 1000 / 2
    speed = np.sqrt(turning**2 + radius * 1000 / AIR * slope) - turning
    return -depth / (1 + part) * fade, speed * fade


def turned(patch: Patch, speed: Value, side: int, inflow: float) -> tuple[Value, Value]:
    """Return eastward and northward parts of a cyclonic wind, turned inward by `inflow` radians."""
    radius = patch.radius
    cos, sin = patch.x / radius, patch.y / radius
    along, inward = speed * np.cos(inflow), speed * np.sin(inflow)
    return -side * along * sin - inward * cos, side * along * cos - inward * sin
