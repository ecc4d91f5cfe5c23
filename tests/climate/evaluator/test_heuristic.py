"""The criteria on fields that are written down: vortices, dips of pressure, bands of vapour."""

import numpy as np
import pytest

from baryon.config.option_values import option_values
from baryon.errors import BaryonError
from baryon.plugins.registry import discover
from baryon_climate.classes import AR, ETC, TC, TD
from baryon_climate.evaluator.heuristic.criteria import criteria
from baryon_climate.evaluator.heuristic.detector import detect_by_criteria
from baryon_climate.evaluator.heuristic.surroundings import KM_A_DEGREE, around, peaks
from baryon_climate.evaluator.heuristic.vorticity import METRES, vorticity
from baryon_climate.grid import EARTH_RADIUS, Grid, distance

GRID = Grid.globe(361, 720)  # half a degree
VALUES = option_values("", "evaluator", "climate_boxes", discover())["heuristic"]


def calm() -> dict[str, np.ndarray]:
    """An Earth at rest."""
    shape = (GRID.height, GRID.width)
    levels = {"PSL": 101000.0, "T200": 220.0, "T500": 265.0, "Z200": 12000.0, "Z1000": 100.0}
    names = ("U850", "V850", "UBOT", "VBOT", "TMQ")
    return {name: np.full(shape, levels.get(name, 0.0)) for name in (*levels, *names)}


def add_cyclone(fields, latitude, longitude, *, speed=40.0, drop=4000.0, warm=6.0, thick=150.0):
    """A vortex of 1 degree to its strongest wind, cyclonic in its hemisphere."""
    here = GRID.latitudes()[:, None], GRID.longitudes()[None, :]
    degrees = distance(latitude, longitude, *here) / KM_A_DEGREE
    east = (here[1] - longitude + 180) % 360 - 180
    x, y = east * np.cos(np.radians(latitude)), here[0] - latitude
    wind = speed * degrees * np.exp(1 - degrees) * np.sign(latitude)
    radius = np.maximum(degrees, 1e-9)
    for level in ("850", "BOT"):
        fields[f"U{level}"] = fields[f"U{level}"] - wind * y / radius
        fields[f"V{level}"] = fields[f"V{level}"] + wind * x / radius
    bell = np.exp(-0.5 * (degrees / 1.5) ** 2)
    fields["PSL"] = fields["PSL"] - drop * bell
    fields["T500"] = fields["T500"] + warm * bell
    fields["T200"] = fields["T200"] + warm * bell
    fields["Z200"] = fields["Z200"] + thick * bell


def add_dip(fields, latitude, longitude, drop):
    degrees = (
        distance(latitude, longitude, GRID.latitudes()[:, None], GRID.longitudes()[None, :])
        / KM_A_DEGREE
    )
    fields["PSL"] = fields["PSL"] - drop * np.exp(-0.5 * (degrees / 4) ** 2)


def find(fields, **changes):
    found = detect_by_criteria(fields, GRID, criteria(VALUES | changes))
    return list(zip(found.classes.tolist(), found.corners.tolist(), strict=True))


def centre(corners) -> tuple[float, float]:
    ymin, xmin, ymax, xmax = corners
    return float(GRID.latitudes((ymin + ymax) / 2)), float(GRID.longitudes((xmin + xmax) / 2))


@pytest.mark.parametrize("longitude", [200.0, 0.0, 359.5])
@pytest.mark.parametrize("latitude", [18.0, -15.0])
def test_a_cyclone_is_found_where_it_is_in_both_hemispheres_and_at_the_seam(latitude, longitude):
    fields = calm()
    add_cyclone(fields, latitude, longitude)
    ((number, corners),) = find(fields)
    assert number == TC
    there = centre(corners)
    assert there[0] == pytest.approx(latitude, abs=0.5)
    assert (there[1] - longitude + 180) % 360 - 180 == pytest.approx(0, abs=0.5)
    assert 0 <= corners[1] < GRID.width


def test_its_box_reaches_to_where_the_gale_ends():
    """40 m/s x d x exp(1 - d) falls to 17 m/s at d = 2.97 degrees (by hand)."""
    fields = calm()
    add_cyclone(fields, 18.0, 200.0)
    ((_, corners),) = find(fields)
    assert (corners[2] - corners[0]) / 2 * 0.5 == pytest.approx(2.97, abs=0.5)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"speed": 12.0}, [TD]),
        ({"speed": 1.0}, []),
        ({"warm": 0.0}, []),
        ({"thick": 0.0}, []),
        ({"drop": 0.0}, []),
    ],
)
def test_each_criterion_counts(changes, expected):
    fields = calm()
    add_cyclone(fields, 18.0, 200.0, **changes)
    assert [number for number, _ in find(fields)] == expected


def test_a_cold_dip_outside_the_tropics_is_an_extratropical_cyclone():
    fields = calm()
    add_dip(fields, 50.0, 359.0, 3000.0)
    add_dip(fields, 5.0, 100.0, 3000.0)
    add_dip(fields, -45.0, 100.0, 300.0)
    ((number, corners),) = find(fields)
    assert number == ETC
    assert centre(corners) == (pytest.approx(50, abs=0.5), pytest.approx(359, abs=0.5))


def test_a_tropical_cyclone_is_not_an_extratropical_one_as_well():
    fields = calm()
    add_cyclone(fields, 32.0, 200.0)
    assert [number for number, _ in find(fields)] == [TC]


def test_a_long_narrow_band_is_a_river_and_a_round_or_short_one_is_not():
    fields = calm()
    fields["TMQ"][250:256, 700:720] = 30  # across the seam: 0.5 degrees a pixel, 35 to 38 north
    fields["TMQ"][250:256, :40] = 30
    fields["TMQ"][60:120, 300:360] = 30  # round
    fields["TMQ"][250:256, 200:220] = 30  # short
    fields["TMQ"][178:182, 100:300] = 60  # on the equator
    ((number, corners),) = find(fields)
    assert number == AR
    assert corners == [250, 700, 256, 760]


def test_vorticity_of_solid_rotation():
    """u = U cos(latitude) has vorticity 2 U sin(latitude) / a."""
    latitude = np.radians(GRID.latitudes())[:, None]
    u = np.broadcast_to(10 * np.cos(latitude), (GRID.height, GRID.width))
    found = vorticity(u, np.zeros_like(u), GRID)
    expected = np.broadcast_to(20 * np.sin(latitude) / METRES, found.shape)
    np.testing.assert_allclose(found[2:-2], expected[2:-2], rtol=1e-3, atol=1e-10)


def test_vorticity_of_meridional_wind_around_the_seam():
    """v = V sin(3 longitude) has vorticity 3 V cos(3 longitude) / (a cos(latitude))."""
    longitude, latitude = np.radians(GRID.longitudes()), np.radians(GRID.latitudes())[:, None]
    v = np.broadcast_to(10 * np.sin(3 * longitude), (GRID.height, GRID.width))
    found = vorticity(np.zeros_like(v), v, GRID)
    expected = 30 * np.cos(3 * longitude) / (1000 * EARTH_RADIUS * np.cos(latitude))
    np.testing.assert_allclose(found[10:-10], expected[10:-10], rtol=2e-3, atol=1e-9)


def test_peaks_lie_apart_and_the_higher_one_wins():
    field = np.zeros((GRID.height, GRID.width))
    field[200, 0], field[200, 716], field[200, 100] = 3, 2, 1  # 0 and 358 degrees east
    assert list(peaks(field, GRID, 0.5, 5)) == [(200, 0), (200, 100)]
    assert list(peaks(field, GRID, 0.5, 1.5)) == [(200, 0), (200, 716), (200, 100)]


def test_around_a_point_all_that_is_near_is_seen():
    here = around(GRID, 300, 2, 4)
    near = (
        distance(60.0, 1.0, GRID.latitudes()[:, None], GRID.longitudes()[None, :])
        <= 4 * KM_A_DEGREE
    )
    assert (here.degrees <= 4).sum() == near.sum()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vortisity": 1.0}, r"no 'vortisity'; did you mean 'vorticity'"),
        ({"wind": 0.0}, r"heuristic\.wind=0\.0 must be above 0"),
    ],
)
def test_wrong_criteria_are_named(changes, message):
    with pytest.raises(BaryonError, match=message):
        criteria(VALUES | changes)
    with pytest.raises(BaryonError, match="needs wind"):
        criteria({name: value for name, value in VALUES.items() if name != "wind"})
