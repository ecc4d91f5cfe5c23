"""Pixels, degrees, areas and distances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baryon_climate.grid import EARTH_RADIUS, Grid, distance


def test_the_globe_of_cam5():
    grid = Grid.globe(768, 1152)
    latitudes, longitudes = grid.latitudes(), grid.longitudes()
    assert (latitudes[0], latitudes[-1]) == pytest.approx((-90, 90))
    assert (longitudes[0], longitudes[-1]) == pytest.approx((0, 360 - 0.3125))
    assert grid.cell_areas().sum() * 1152 == pytest.approx(4 * np.pi * EARTH_RADIUS**2)


@given(st.integers(0, 700), st.integers(0, 1151), st.floats(0, 60), st.floats(0, 500))
def test_a_crop_knows_where_it_is(row, column, y, x):
    globe = Grid.globe(768, 1152)
    crop = globe.crop(row, column, 64, 512)
    assert crop.latitudes(y) == pytest.approx(globe.latitudes(row + y))
    apart = crop.longitudes(x) - globe.longitudes(column + x)
    assert (apart + 180) % 360 - 180 == pytest.approx(0, abs=1e-9)
    assert Grid.of(crop.array(), 64, 512) == crop
    assert not crop.cyclic
    assert crop.rows(crop.latitudes(y)) == pytest.approx(y, abs=1e-9)
    assert crop.columns(crop.longitudes(x)) == pytest.approx(x, abs=1e-6) or x < 1e-6


def test_boxes_that_cover_the_globe_have_its_area():
    grid = Grid.globe(181, 360)
    boxes = np.array([[0, 0, 90, 360], [90, 100, 180, 280], [90, 350, 180, 370]])
    globe = 4 * np.pi * EARTH_RADIUS**2
    assert grid.areas(boxes) == pytest.approx([globe / 2, globe / 4, globe / 36])


def test_distances():
    quarter = np.pi / 2 * EARTH_RADIUS
    assert distance(0, 0, 0, 90) == pytest.approx(quarter)
    assert distance(0, 359, 0, 1) == pytest.approx(2 / 90 * quarter)
    assert distance(90, 10, -90, 200) == pytest.approx(2 * quarter)
    assert distance(12, 34, 12, 34) == 0
