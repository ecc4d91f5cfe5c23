"""What a storm adds to the state of the atmosphere: pressure, wind, warmth, vapour and rain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from baryon_climate.classes import AR
from baryon_climate.generation import vortex
from baryon_climate.generation.continents import Geography
from baryon_climate.generation.patch import KM_PER_DEGREE, Patch
from baryon_climate.generation.rivers import course
from baryon_climate.generation.state import AtmosphericState
from baryon_climate.generation.storms import River, Storm
from baryon_climate.generation.truth import Mark
from baryon_climate.grid import Grid

Place = tuple[float, float]
"""Latitude and longitude in degrees."""


@dataclass(frozen=True)
class StormDrawing:
    """Draws storms on a grid, and marks those that are strong enough for a box."""

    grid: Grid
    geography: Geography

    @property
    def pixel(self) -> float:
        """Distance of neighbouring rows in km."""
        return self.grid.latitude_step * KM_PER_DEGREE

    def add(self, state: AtmosphericState, storm: Storm, day: float) -> None:
        """Add a living storm to the state, in place."""
        place = storm.place(day)
        if storm.tropical:
            self._add_tropical(state, storm, day, place)
        else:
            self._add_extratropical(state, storm, day, place)

    def _add_tropical(
        self, state: AtmosphericState, storm: Storm, day: float, place: Place
    ) -> None:
        latitude, longitude = place
        patch = Patch.around(self.grid, latitude, longitude, vortex.REACH)
        radius = patch.radius
        # a core that falls between the points of a coarse grid would have no wind in the fields
        core = max(storm.radius, 0.85 * self.pixel)
        wind = storm.strength * storm.growth(day) * self._survival(place)
        pressure, speed = vortex.holland(radius, wind, core, storm.shape, latitude)
        east, north = vortex.turned(patch, speed, storm.side, 0.12)
        low_east, low_north = vortex.turned(patch, 0.15 * speed, storm.side, 1.2)
        moving = storm.velocity(day)
        carried = 0.45 * vortex.fading(radius, 700)
        patch.add(state.pressure, pressure)
        patch.add(state.east, east + moving[0] * carried)
        patch.add(state.north, north + moving[1] * carried)
        patch.add(state.low_east, low_east)
        patch.add(state.low_north, low_north)
        depth = wind**2 / 1600  # 1 for 40 m/s
        patch.add(state.warm_middle, 3.6 * depth * np.exp(-((radius / (1.7 * core + 40)) ** 2)))
        patch.add(state.warm_top, 4.2 * depth * np.exp(-((radius / (2.4 * core + 90)) ** 2)))
        _add_rain_bands(state, storm, patch, core, wind)
        kind = storm.kind(wind)
        if kind is not None:
            state.marks.append(Mark(kind, patch, speed, radius < 1.5 * core, wind))

    def _survival(self, place: Place) -> float:
        """Return the share of a tropical storm's wind that land and cold water leave."""
        on_land = float(self._nearest(self.geography.land, place))
        cold_water = float(np.clip((abs(place[0]) - 30) / 16, 0, 0.8))
        return (1 - 0.6 * on_land) * (1 - cold_water)

    def _nearest(self, values: np.ndarray, place: Place) -> float:
        row = int(np.clip(round(float(self.grid.rows(place[0]))), 0, self.grid.height - 1))
        return float(values[row, int(self.grid.columns(place[1])) % self.grid.width])

    def _add_extratropical(
        self, state: AtmosphericState, storm: Storm, day: float, place: Place
    ) -> None:
        latitude, longitude = place
        patch = Patch.around(self.grid, latitude, longitude, 3.3 * storm.radius)
        growth = storm.growth(day)
        depth = storm.strength * growth
        pressure, speed = vortex.low(patch, depth, storm.radius, storm.shape, storm.angle, latitude)
        east, north = vortex.turned(patch, speed, storm.side, 0.05)
        radius = patch.radius
        bell = growth * np.exp(-((radius / storm.radius) ** 2))
        patch.add(state.pressure, pressure)
        patch.add(state.east, east)
        patch.add(state.north, north)
        patch.add(state.warm_top, 3.0 * bell)
        patch.add(state.warm_middle, -2.5 * bell)
        patch.add(state.rain, _comma(patch, storm, depth))
        kind = storm.kind(depth)
        if kind is not None:
            core = radius < max(0.25 * storm.radius, 1.5 * self.pixel)
            state.marks.append(Mark(kind, patch, radius / storm.radius, core, depth))
        if storm.river is not None and growth > 0.3:
            self._add_river(state, storm, storm.river, growth, place)

    def _add_river(
        self, state: AtmosphericState, storm: Storm, river: River, growth: float, place: Place
    ) -> None:
        run = course(self.grid, river, place, storm.side, storm.radius)
        width = max(river.width, 1.1 * self.pixel)
        full = min(1.0, (growth - 0.3) / 0.35)
        bell = np.exp(-((run.distance / width) ** 2)) * run.envelope * full
        jet = river.wind * np.exp(-((run.distance / (1.2 * width)) ** 2)) * run.envelope * full
        run.patch.add(state.vapour, river.vapour * bell)
        run.patch.add(state.east, jet * run.east)
        run.patch.add(state.north, jet * run.north)
        run.patch.add(state.rain, 14 * bell * run.along)
        if full > 0.6:  # a river that has hardly begun or is nearly gone gets no box
            core = run.distance < max(0.5 * width, self.pixel)
            state.marks.append(Mark(AR, run.patch, run, core, river.vapour * full))


def _add_rain_bands(
    state: AtmosphericState, storm: Storm, patch: Patch, core: float, wind: float
) -> None:
    """Add an eye wall, two spiral bands of rain, and vapour heaped up around the centre."""
    radius = patch.radius
    angle = np.arctan2(patch.y, patch.x) * storm.side
    turn = 2 * (angle + 1.9 * np.log(radius / core) + storm.angle)
    band = np.maximum(0, np.cos(turn)) ** 3 * np.exp(-(((radius - 3.2 * core) / 260) ** 2))
    wall = np.exp(-(((radius - 1.15 * core) / (0.55 * core)) ** 2))
    strength = min(wind / 30, 1.7)
    patch.add(state.rain, strength * (170 * wall + 75 * band))
    heap = np.exp(-((radius / 330) ** 2)) + 0.35 * band
    patch.add(state.vapour, (3 + 13 * min(strength, 1.2)) * heap * min(1, wind / 12))


def _comma(patch: Patch, storm: Storm, depth: float) -> np.ndarray:
    """Return the rain (mm a day) of a low: most to the east and poleward of its centre."""
    radius = patch.radius
    ahead = 0.55 + 0.45 * patch.x / radius + 0.35 * storm.side * patch.y / radius
    head = np.exp(-((radius / (0.9 * storm.radius)) ** 2))
    return np.asarray(6e-3 * depth * head * np.clip(ahead, 0, 1.3), np.float32)
