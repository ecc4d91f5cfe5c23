"""How far gales reach from the centre of a cyclone, where nobody has measured it."""

from __future__ import annotations

from baryon_climate.tracks.fix import KNOT

GALE = 34.0
"""Knots."""


def gale_radius(wind: float, latitude: float) -> float:
    """Return the radius in km of winds of 34 knots of a typical cyclone; 0 below that wind.

    Outside the radius of its largest wind the wind falls as a power of the distance (a modified
    Rankine vortex); that radius and the power follow from wind and latitude as in Courtney and
    Knaff (2009), whose numbers are given as remembered.

    Parameters
    ----------
    wind
        Maximum sustained wind in m/s.
    latitude
        Degrees north.

    """
    knots, beyond = wind / KNOT, abs(latitude) - 25.0
    if knots < GALE:
        return 0.0
    core = max(66.785 - 0.09102 * knots + 1.0619 * beyond, 10.0)
    power = max(0.1147 + 0.0055 * knots - 0.001 * beyond, 0.1)
    return float(core * (knots / GALE) ** (1.0 / power))
