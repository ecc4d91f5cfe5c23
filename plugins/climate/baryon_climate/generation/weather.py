"""The weather of a year: background waves, storms, and what they make of vapour and heat.

Frames of one world (a seed and a year) are parts of one history: storms move along their tracks,
the background's waves travel and forget themselves, and any frame can be made by itself.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from baryon_climate.generation import mean_state, vortex
from baryon_climate.generation.channels import Stirred, Surroundings, channels
from baryon_climate.generation.continents import geography
from baryon_climate.generation.daily_cycle import daily_cycle
from baryon_climate.generation.harmonics import Harmonics, Living, Spectrum
from baryon_climate.generation.state import AtmosphericState
from baryon_climate.generation.stirring import enlarged, origins, sampled
from baryon_climate.generation.storm_drawing import StormDrawing
from baryon_climate.generation.storms import Storm, storms
from baryon_climate.generation.truth import read_boxes
from baryon_climate.grid import EARTH_RADIUS, Grid

Numbers = npt.NDArray[np.float32]
VERSION = 4
"""Of the frames that a seed gives; whatever changes them must change it."""
STREAM = 7.8e6
"""m2/s, deviation of the background's stream function: winds of some 9 m/s on the storm tracks."""
WAVES = Spectrum(peak=8, slope=3.8, lowest=4)
"""Of the stream function, so that kinetic energy falls with the power 1.8."""
WAVE_DEGREE = 80
"""Waves of the wind stop at 500 km: air that smaller eddies stir for two days is mere noise."""
TEXTURE = Spectrum(peak=14, slope=1.9, lowest=4)
FINEST_DEGREE = 190
"""Textures stop here, at 210 km, on finer grids too: the cost grows as its square."""
FINEST_FLOW = 300
"""Rows from which on trajectories run on a grid of half as many, which costs a quarter."""


class World:
    """One year's weather on a grid."""

    # Every wave and storm is a function of seed, year and time, and nothing is integrated from
    # frame to frame: frames are made in parallel and in any order, with the same bytes. Filaments
    # and fronts, which random noise lacks, come from backward trajectories (ten interpolations).

    def __init__(self, grid: Grid, seed: int, year: int) -> None:
        """Draw the year's storms and waves; the same seed and year give the same weather."""
        self.grid = grid
        self.geography = geography(grid)
        halved = grid.height >= FINEST_FLOW
        self._flow = Grid.globe(grid.height // 2, grid.width // 2) if halved else grid
        # shorter waves than two columns or two rows cannot be told from longer ones
        degree = min(FINEST_DEGREE, self._flow.height - 2, self._flow.width // 2 - 2)
        self._wave_harmonics = Harmonics(self._flow, min(WAVE_DEGREE, degree))
        self._texture_harmonics = Harmonics(self._flow, degree)
        sources = [np.random.default_rng([seed, year, number]) for number in range(4)]
        self.storms: list[Storm] = storms(sources[0])
        wave_degree = self._wave_harmonics.degree
        self._waves = Living(sources[1], wave_degree, WAVES, memory_days=4, drift=7)
        self._textures = [Living(source, degree, TEXTURE, 2, 5) for source in sources[2:]]
        self._drawing = StormDrawing(grid, self.geography)

    def frame(self, day: float) -> tuple[Numbers, npt.NDArray[np.int32]]:
        """Make the frame of a time.

        Parameters
        ----------
        day
            Days since the beginning of the year, in UTC.

        Returns
        -------
        tuple
            Values (16, height, width) in the channels' units, and boxes (15, 5) of ymin, xmin,
            ymax, xmax, class; unused rows are -1.

        """
        summer = mean_state.season(day)
        ground = mean_state.ground(self.grid, self.geography, summer)
        daily = daily_cycle(self.grid, self.geography, ground.dryness, day)
        state = self._background(day, summer, ground)
        for storm in self.storms:
            if storm.alive(day):
                self._drawing.add(state, storm, day)
        around = Surroundings(self.grid, self.geography, ground, daily, summer)
        images = channels(state, self._stirred(state, day), around)
        return images, read_boxes(state.marks, images, self.grid, summer)

    def _background(self, day: float, summer: float, ground: mean_state.Ground) -> AtmosphericState:
        """Return the state without storms: waves in geostrophic balance on the mean wind."""
        latitude = self._flow.latitudes()[:, None]
        strength = (STREAM * mean_state.storminess(latitude)).astype(np.float32)
        stream = strength * self._wave_harmonics.values(self._waves.coefficients(day))
        east, north = _rotational(self._flow, stream)
        spin = 2 * vortex.EARTH_SPIN * np.sin(np.radians(latitude))
        pressure = (vortex.AIR * spin * stream).astype(np.float32)
        wind = mean_state.zonal_wind(self.grid.latitudes()[:, None], summer)
        return AtmosphericState.without_storms(
            enlarged(pressure, self.grid, self._flow) + ground.sea_level_pressure,
            (enlarged(east, self.grid, self._flow) + wind).astype(np.float32),
            enlarged(north, self.grid, self._flow),
        )

    def _stirred(self, state: AtmosphericState, day: float) -> Stirred:
        """Return where the air came from, and two textures that it brought along."""
        east, north = state.east, state.north
        if self._flow is not self.grid:
            east, north = (enlarged(wind, self._flow, self.grid) for wind in (east, north))
        rows, columns = origins(self._flow, east, north)
        textures = tuple(
            self._texture_harmonics.values(t.coefficients(day)) for t in self._textures
        )
        came_from = np.float32(-90) + rows * np.float32(self._flow.latitude_step)
        fields = (came_from, *sampled(textures, rows, columns))
        if self._flow is not self.grid:
            fields = tuple(enlarged(values, self.grid, self._flow) for values in fields)
        return Stirred(*fields)


def _rotational(grid: Grid, stream: Numbers) -> tuple[Numbers, Numbers]:
    """Return the wind (m/s eastward, northward) of a stream function (m2/s)."""
    down = EARTH_RADIUS * 1000 * np.radians(grid.latitude_step)
    # near the poles columns come so close that differences between them would be noise
    shrink = np.maximum(np.cos(np.radians(grid.latitudes())), 0.1)[:, None]
    east = -np.gradient(stream, down, axis=0)
    across = EARTH_RADIUS * 1000 * np.radians(grid.longitude_step)
    north = (np.roll(stream, -1, 1) - np.roll(stream, 1, 1)) / (2 * across * shrink)
    return east.astype(np.float32), north.astype(np.float32)
