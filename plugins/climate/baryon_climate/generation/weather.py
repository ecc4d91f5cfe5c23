"""The state of the atmosphere at a time: background, storms, and what they make of vapour and heat.

Frames of one world (a seed and a year) are parts of one history: storms move along their tracks,
the background's waves travel and forget themselves, and any frame can be made by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon_climate.classes import AR
from baryon_climate.fields import NAMES
from baryon_climate.generation import mean_state, vortex
from baryon_climate.generation.continents import Geography, geography
from baryon_climate.generation.harmonics import Harmonics, Living, Spectrum
from baryon_climate.generation.patch import Patch
from baryon_climate.generation.rivers import course
from baryon_climate.generation.stirring import enlarged, origins, sampled
from baryon_climate.generation.storms import Storm, storms
from baryon_climate.generation.truth import Mark, read_boxes
from baryon_climate.grid import EARTH_RADIUS, Grid

Numbers = npt.NDArray[np.float32]
VERSION = 3
"""Of the frames that a seed gives; whatever changes them must change it."""
GRAVITY = 9.81
GAS = 287.0
LATENT = 5420.0
"""K, latent heat over the gas constant of vapour."""
MM_A_DAY = 1e-3 / 86400
STREAM = 5.0e6
"""m2/s, deviation of the background's stream function: winds of some 8 m/s."""
STREAM_DEGREE, TEXTURE_DEGREE = 42, 140
FINEST_FLOW = 300
"""Rows from which on trajectories run on a grid of half as many."""


@dataclass
class Fields:
    """What storms add to, (height, width) each."""

    pressure: Numbers
    """Pa at sea level."""
    east: Numbers
    north: Numbers
    """m/s at 850 hPa."""
    low_east: Numbers
    low_north: Numbers
    """m/s at the lowest level, beside what follows from the wind above."""
    warm_middle: Numbers
    warm_top: Numbers
    """K at 500 and 200 hPa."""
    vapour: Numbers
    """kg/m2."""
    rain: Numbers
    """mm a day."""
    marks: list[Mark] = field(default_factory=list)


class World:
    """One year's weather on a grid."""

    def __init__(self, grid: Grid, seed: int, year: int) -> None:
        self.grid = grid
        half = grid.height >= FINEST_FLOW
        self.flow = Grid.globe(grid.height // 2, grid.width // 2) if half else grid
        self.geography: Geography = geography(grid)
        degree = min(TEXTURE_DEGREE, self.flow.height // 2 - 2)
        self._stream = Harmonics(self.flow, min(STREAM_DEGREE, degree))
        self._fine = Harmonics(self.flow, degree)
        sources = [np.random.default_rng([seed, year, number]) for number in range(4)]
        self.storms: list[Storm] = storms(sources[0])
        waves = Spectrum(peak=9, slope=4.2, lowest=4)
        self._waves = Living(sources[1], self._stream.degree, waves, memory_days=4, drift=7)
        grain = Spectrum(peak=14, slope=1.9, lowest=4)
        self._grains = [Living(one, degree, grain, 2, 5) for one in sources[2:]]
        self._pixel = grid.latitude_step * 111.2

    def frame(self, day: float) -> tuple[Numbers, npt.NDArray[np.int32]]:
        """(16, height, width) in the channels' units and (15, 5) boxes, at days of the year."""
        summer = mean_state.season(day)
        ground = mean_state.ground(self.grid, self.geography, summer)
        fields = self._background(day, summer, ground)
        for storm in self.storms:
            if storm.alive(day):
                self._add(fields, storm, day)
        images = self._finish(fields, ground, day, summer)
        return images, read_boxes(fields.marks, images, self.grid, summer)

    def _background(self, day: float, summer: float, ground: mean_state.Ground) -> Fields:
        latitude = self.flow.latitudes()[:, None]
        where = 0.33 + 0.67 * np.exp(-(((np.abs(latitude) - 48) / 17) ** 2))
        stream = self._stream.values(self._waves.coefficients(day)) * (STREAM * where).astype(
            np.float32
        )
        east, north = _rotational(self.flow, stream)
        spin = 2 * 7.292e-5 * np.sin(np.radians(latitude))
        pressure = enlarged((vortex.AIR * spin * stream).astype(np.float32), self.grid, self.flow)
        wind = mean_state.zonal_wind(self.grid.latitudes()[:, None], summer)
        shape = self.geography.land.shape
        return Fields(
            pressure + ground.sea_level_pressure,
            (enlarged(east, self.grid, self.flow) + wind).astype(np.float32),
            enlarged(north, self.grid, self.flow),
            *_zeros(shape, 6),
        )

    def _add(self, fields: Fields, storm: Storm, day: float) -> None:
        place = storm.place(day)
        if storm.tropical:
            self._add_tropical(fields, storm, day, place)
        else:
            self._add_extratropical(fields, storm, day, place)

    def _add_tropical(
        self, fields: Fields, storm: Storm, day: float, place: tuple[float, float]
    ) -> None:
        latitude, longitude = place
        patch = Patch.around(self.grid, latitude, longitude, vortex.REACH)
        radius = patch.radius
        core = max(storm.radius, 0.85 * self._pixel)
        on_land = float(self._at(self.geography.land, place))
        cold_water = np.clip((abs(latitude) - 30) / 16, 0, 0.8)
        wind = storm.strength * storm.growth(day) * (1 - 0.6 * on_land) * (1 - cold_water)
        pressure, speed = vortex.holland(radius, wind, core, storm.shape, latitude)
        east, north = vortex.turned(patch, speed, storm.side, 0.12)
        low_east, low_north = vortex.turned(patch, 0.15 * speed, storm.side, 1.2)
        moving = storm.velocity(day)
        carried = 0.45 * vortex.fading(radius, 700)
        patch.add(fields.pressure, pressure)
        patch.add(fields.east, east + moving[0] * carried)
        patch.add(fields.north, north + moving[1] * carried)
        patch.add(fields.low_east, low_east)
        patch.add(fields.low_north, low_north)
        depth = wind**2 / 1600  # 1 for 40 m/s
        patch.add(fields.warm_middle, 3.6 * depth * np.exp(-((radius / (1.7 * core + 40)) ** 2)))
        patch.add(fields.warm_top, 4.2 * depth * np.exp(-((radius / (2.4 * core + 90)) ** 2)))
        self._add_bands(fields, storm, patch, core, wind)
        kind = storm.kind(wind)
        if kind is not None:
            fields.marks.append(Mark(kind, patch, speed, radius < 1.5 * core, wind))

    def _add_bands(
        self, fields: Fields, storm: Storm, patch: Patch, core: float, wind: float
    ) -> None:
        """Eye wall and two spiral bands of rain; vapour heaped up around the centre."""
        radius = patch.radius
        angle = np.arctan2(patch.y, patch.x) * storm.side
        turn = 2 * (angle + 1.9 * np.log(radius / core) + storm.angle)
        band = np.maximum(0, np.cos(turn)) ** 3 * np.exp(-(((radius - 3.2 * core) / 260) ** 2))
        wall = np.exp(-(((radius - 1.15 * core) / (0.55 * core)) ** 2))
        strength = min(wind / 30, 1.7)
        patch.add(fields.rain, strength * (170 * wall + 75 * band))
        heap = np.exp(-((radius / 330) ** 2)) + 0.35 * band
        patch.add(fields.vapour, (3 + 13 * min(strength, 1.2)) * heap * min(1, wind / 12))

    def _add_extratropical(
        self, fields: Fields, storm: Storm, day: float, place: tuple[float, float]
    ) -> None:
        latitude, longitude = place
        patch = Patch.around(self.grid, latitude, longitude, 3.3 * storm.radius)
        growth = storm.growth(day)
        depth = storm.strength * growth
        pressure, speed = vortex.low(patch, depth, storm.radius, storm.shape, storm.angle, latitude)
        east, north = vortex.turned(patch, speed, storm.side, 0.05)
        radius = patch.radius
        patch.add(fields.pressure, pressure)
        patch.add(fields.east, east)
        patch.add(fields.north, north)
        patch.add(fields.warm_top, 3.0 * growth * np.exp(-((radius / storm.radius) ** 2)))
        patch.add(fields.warm_middle, -2.5 * growth * np.exp(-((radius / storm.radius) ** 2)))
        kind = storm.kind(depth)
        if kind is not None:
            core = radius < max(0.25 * storm.radius, 1.5 * self._pixel)
            fields.marks.append(Mark(kind, patch, radius / storm.radius, core, depth))
        if storm.river is not None and growth > 0.3:
            self._add_river(fields, storm, growth, place)

    def _add_river(
        self, fields: Fields, storm: Storm, growth: float, place: tuple[float, float]
    ) -> None:
        river = storm.river
        assert river is not None
        run = course(self.grid, river, place, storm.side, storm.radius)
        width = max(river.width, 1.1 * self._pixel)
        full = min(1.0, (growth - 0.3) / 0.35)
        bell = np.exp(-((run.distance / width) ** 2)) * run.envelope * full
        jet = river.wind * np.exp(-((run.distance / (1.2 * width)) ** 2)) * run.envelope * full
        run.patch.add(fields.vapour, river.vapour * bell)
        run.patch.add(fields.east, jet * run.east)
        run.patch.add(fields.north, jet * run.north)
        run.patch.add(fields.rain, 14 * bell * run.along)
        if full > 0.6:
            core = run.distance < max(0.5 * width, self._pixel)
            fields.marks.append(Mark(AR, run.patch, run, core, river.vapour * full))

    def _finish(
        self, fields: Fields, ground: mean_state.Ground, day: float, summer: float
    ) -> Numbers:
        """All 16 channels."""
        land, height = self.geography.land, self.geography.height
        latitude = self.grid.latitudes()[:, None].astype(np.float32)
        came, grain, rough = self._stirred(fields, day)
        came_from = np.float32(-90) + came * np.float32(self.flow.latitude_step)
        mixed = latitude + 0.95 * (came_from - latitude)
        surface = mean_state.surface_temperature(latitude, summer)
        advected = 0.62 * (mean_state.surface_temperature(came_from, summer) - surface)
        sea = np.maximum(surface + 0 * land, 271.4)
        air = surface + ground.warmth + advected * (0.55 + 0.35 * land) + 0.5 * grain
        skin = (1 - land) * (sea + 0.04 * advected) + land * (air + 0.6 * rough)
        vapour = mean_state.vapour(mixed, summer) * ground.dryness * np.exp(0.17 * grain)
        vapour = np.clip(vapour + fields.vapour * (1 + 0.22 * rough), 0.15, 88)
        humidity = _humidity(air, fields.pressure, vapour, surface, land)
        middle = mean_state.middle_temperature(latitude, summer)
        moved = 0.55 * (mean_state.middle_temperature(came_from, summer) - middle)
        upper = mean_state.upper_height(latitude, summer)
        lifted = 0.75 * (mean_state.upper_height(came_from, summer) - upper) * 0.5
        drop = fields.pressure - ground.sea_level_pressure
        drag = (0.72 - 0.27 * land).astype(np.float32)
        veer = np.float32(0.25) * np.sin(np.radians(latitude)) / 0.7
        found = {
            "PRECT": _rain(fields, vapour, latitude, grain, rough, advected, self.grid),
            "PS": fields.pressure * np.exp(-GRAVITY * height / (GAS * (air + 0.003 * height))),
            "PSL": fields.pressure,
            "QREFHT": humidity,
            "T200": 219.5 + 5.5 * (latitude / 90) ** 2 - 0.35 * moved + fields.warm_top,
            "T500": middle + moved + fields.warm_middle + 0.3 * grain,
            "TMQ": vapour,
            "TREFHT": air,
            "TS": skin,
            "U850": fields.east + 0.5 * rough,
            "UBOT": drag * (fields.east - veer * fields.north) + fields.low_east,
            "V850": fields.north + 0.5 * grain,
            "VBOT": drag * (fields.north + veer * fields.east) + fields.low_north,
            "Z1000": (fields.pressure - 1e5) * (GAS * air / GRAVITY / 1e5),
            "Z200": upper + lifted + 0.11 * drop + 9.0 * fields.warm_top,
            "ZBOT": 63.0 * (air / 288.0) + 0.4 * rough,
        }
        images = np.empty((len(NAMES), *land.shape), np.float32)
        for number, name in enumerate(NAMES):
            images[number] = found[name]
        return images

    def _stirred(self, fields: Fields, day: float) -> tuple[Numbers, Numbers, Numbers]:
        """Rows of the flow's grid where the air came from, and two textures it brought along."""
        east, north = fields.east, fields.north
        if self.flow is not self.grid:
            east, north = (enlarged(one, self.flow, self.grid) for one in (east, north))
        rows, columns = origins(self.flow, east, north)
        textures = tuple(self._fine.values(one.coefficients(day)) for one in self._grains)
        grain, rough = sampled(textures, rows, columns)
        if self.flow is self.grid:
            return rows, grain, rough
        found = [enlarged(one, self.grid, self.flow) for one in (rows, grain, rough)]
        return found[0], found[1], found[2]

    def _at(self, values: Numbers, place: tuple[float, float]) -> Any:
        row = int(np.clip(round(float(self.grid.rows(place[0]))), 0, self.grid.height - 1))
        return values[row, int(self.grid.columns(place[1])) % self.grid.width]


def _zeros(shape: tuple[int, ...], count: int) -> Any:
    return (np.zeros(shape, np.float32) for _ in range(count))


def _rotational(grid: Grid, stream: Numbers) -> tuple[Numbers, Numbers]:
    """m/s eastward and northward of a stream function (m2/s)."""
    down = EARTH_RADIUS * 1000 * np.radians(grid.latitude_step)
    shrink = np.maximum(np.cos(np.radians(grid.latitudes())), 0.1)[:, None]
    east = -np.gradient(stream, down, axis=0)
    across = EARTH_RADIUS * 1000 * np.radians(grid.longitude_step)
    north = (np.roll(stream, -1, 1) - np.roll(stream, 1, 1)) / (2 * across * shrink)
    return east.astype(np.float32), north.astype(np.float32)


def _humidity(air: Any, pressure: Any, vapour: Any, surface: Any, land: Any) -> Any:
    """kg/kg at 2 m: saturation (Clausius-Clapeyron) times a humidity that follows the column's."""
    saturated = 0.622 * 611.0 * np.exp(LATENT * (1 / 273.16 - 1 / air)) / pressure
    column = 49.0 * np.exp((surface - 300.5) / 14.5)
    return saturated * np.clip(0.74 - 0.22 * land + 0.12 * (vapour / column - 1), 0.12, 1.0)


def _rain(
    fields: Fields, vapour: Any, latitude: Any, grain: Any, rough: Any, advected: Any, grid: Grid
) -> Any:
    """m/s: showers where it is moist, bands along fronts, and the storms' own."""
    usual = mean_state.vapour(latitude, 0.0)
    moist = np.clip(vapour / (usual + 3) - 1, -1, 1.5)
    showers = np.maximum(0, 0.8 * rough + 0.55 * grain + 1.1 * moist - 0.55) ** 2
    step = 111.2 * grid.latitude_step
    shrink = np.maximum(np.cos(np.radians(latitude)), 0.2)
    slope = np.hypot(
        np.gradient(advected, axis=0),
        (np.roll(advected, -1, 1) - np.roll(advected, 1, 1)) / (2 * shrink),
    )
    front = np.clip(slope * 100 / step - 0.9, 0, 3) * np.clip(1 + rough, 0, 2.5)
    rate = 0.16 * vapour * showers + 0.45 * front * np.sqrt(vapour)
    return (rate + fields.rain * np.clip(1 + 0.35 * rough, 0.2, 2)) * MM_A_DAY
