"""The state of the atmosphere while storms are added to it, before the 16 channels are made."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from baryon_climate.generation.truth import Mark

Numbers = npt.NDArray[np.float32]


@dataclass
class AtmosphericState:
    """Fields (height, width) of one time that storms change in place, and the storms' marks."""

    pressure: Numbers
    """Pa at sea level."""
    east: Numbers
    """m/s eastward at 850 hPa."""
    north: Numbers
    """m/s northward at 850 hPa."""
    low_east: Numbers
    """m/s eastward at the lowest level, beside what follows from the wind above."""
    low_north: Numbers
    """m/s northward at the lowest level, beside what follows from the wind above."""
    warm_middle: Numbers
    """K that storms are warmer than their surroundings at 500 hPa."""
    warm_top: Numbers
    """K that storms are warmer than their surroundings at 200 hPa."""
    vapour: Numbers
    """kg/m2 that storms and rivers add to the column."""
    rain: Numbers
    """mm a day that storms and rivers add."""
    marks: list[Mark] = field(default_factory=list)
    """Storms that get a box."""

    @classmethod
    def without_storms(cls, pressure: Numbers, east: Numbers, north: Numbers) -> AtmosphericState:
        """Return a state of pressure and wind to which no storm has added anything yet."""
        low_east, low_north, warm_middle, warm_top, vapour, rain = (
            np.zeros_like(pressure) for _ in range(6)
        )
        return cls(pressure, east, north, low_east, low_north, warm_middle, warm_top, vapour, rain)
