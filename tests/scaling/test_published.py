"""Predictions for the paper's machine, against the paper's results that were held out."""

import pytest

from baryon.errors import BaryonError
from baryon.scaling.published import CALIBRATION, TEST, compare, held_out_errors


@pytest.fixture(scope="module")
def points():
    return compare("cori_knl", steps=1000)


def test_calibration_points_come_out(points):
    errors = [abs(point.error) for point in points if point.use == CALIBRATION]
    assert len(errors) == 5
    assert max(errors) < 0.015


def test_held_out_points_are_within_five_percent_in_the_median(points):
    assert sum(point.use == TEST for point in points) == 10
    assert held_out_errors(points)[0] < 0.05


def test_the_two_points_beyond_ten_percent_are_those_that_the_docs_discuss(points):
    beyond = {
        (point.network, point.what): round(point.error, 2)
        for point in points
        if point.use == TEST and abs(point.error) > 0.1
    }
    assert beyond == {
        ("climate_15pf", "strong, 2,048 images a group, hybrid 2 on 1,024"): pytest.approx(
            0.13, abs=0.02
        ),
        ("climate_15pf", "full system, 8 groups, peak"): pytest.approx(-0.13, abs=0.02),
    }


def test_a_machine_without_published_results_is_said():
    with pytest.raises(BaryonError, match="no 'published' results"):
        compare("laptop")
