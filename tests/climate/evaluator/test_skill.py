"""Scores of forecasters, by the distance of centres, and sizes on the sphere."""

import math

import numpy as np
import pytest

from baryon_climate.evaluator.frames import NETWORK
from baryon_climate.evaluator.matching import match_by_distance
from baryon_climate.evaluator.sizes import sizes
from baryon_climate.evaluator.skill import best_skill, performance, skill_at
from baryon_climate.grid import Grid

GRID = Grid.globe(181, 360)  # one degree


def box(latitude: float, longitude: float, *rest: float, half: float = 5) -> list[float]:
    row, column = latitude + 90, longitude % 360
    west = column - half if column >= half else column - half + 360
    return [row - half, west, row + half, west + 2 * half, *rest]


@pytest.fixture
def frames(frame):
    """Two events; one is found a degree beside, one missed, and two boxes are no event's."""
    known = [box(20, 100, 1), box(30, 359, 1), box(0, 50, 2)]
    found = [box(20, 101, 1, 0.9), box(31, 2, 1, 0.4), box(-40, 10, 1, 0.6), box(0, 50, 1, 0.2)]
    return [frame(0, known, found, grid=GRID)]


def test_hits_misses_and_false_alarms(frames):
    matches = match_by_distance(frames, NETWORK, 1, 400.0)
    surely, all_ = skill_at(matches, 0.5), skill_at(matches, 0.0)
    assert (surely.hits, surely.misses, surely.false_alarms) == (1, 1, 1)
    assert (surely.pod, surely.far, surely.csi) == (0.5, 0.5, pytest.approx(1 / 3))
    assert (all_.hits, all_.misses, all_.false_alarms) == (2, 0, 2)
    assert all_.csi == 0.5


def test_a_score_that_is_just_the_threshold_counts(frames):
    matches = match_by_distance(frames, NETWORK, 1, 400.0)
    assert skill_at(matches, float(np.float32(0.6))).false_alarms == 1
    assert skill_at(matches, 0.6001).false_alarms == 0


def test_the_distance_is_that_of_the_great_circle_also_over_the_seam(frames):
    """From 359 to 2 degrees east, one degree north of it: 305 km."""
    apart = 6371 * math.acos(
        math.sin(math.radians(30)) * math.sin(math.radians(31))
        + math.cos(math.radians(30)) * math.cos(math.radians(31)) * math.cos(math.radians(3))
    )
    hits = [
        skill_at(match_by_distance(frames, NETWORK, 1, far), 0.3).hits
        for far in (apart - 1, apart + 1)
    ]
    assert hits == [1, 2]


def test_the_best_threshold_has_the_highest_index(frames):
    matches = match_by_distance(frames, NETWORK, 1, 400.0)
    best = best_skill(matches)
    assert best.csi == max(skill_at(matches, at).csi for at in matches.scores)
    assert (best.csi, best.confidence) == (pytest.approx(2 / 3), pytest.approx(0.4))
    pod, success = performance(matches)
    assert pod.tolist() == [0.5, 0.5, 1, 1]
    assert success.tolist() == pytest.approx([1, 0.5, 2 / 3, 0.5])


def test_what_cannot_be_told_is_not_a_number(frame):
    nothing = skill_at(match_by_distance([frame(0, [], [], grid=GRID)], NETWORK, 0, 100.0), 0.5)
    assert all(math.isnan(value) for value in (nothing.pod, nothing.far, nothing.csi))
    assert math.isnan(best_skill(match_by_distance([frame(0, [], [])], NETWORK, 0, 1.0)).pod)


def test_sizes_are_areas_on_the_sphere_of_the_hits(frame):
    """A box of 10 x 10 degrees at the equator, found with half of its width."""
    known = [box(0, 100, 2), box(60, 200, 2)]
    wide = box(0, 100, 2, 0.9)
    wide[1], wide[3] = wide[1] + 2.5, wide[3] - 2.5
    frames = [frame(0, known, [wide], grid=GRID)]
    matches = match_by_distance(frames, NETWORK, 2, 300.0)
    found = sizes(frames, NETWORK, 2, matches, 0.5)
    area = 6371**2 * 2 * math.sin(math.radians(5)) * math.radians(10)
    assert (found.hits, found.ratio) == (1, pytest.approx(0.5))
    assert found.known_km2 == pytest.approx(area)
    assert found.found_km2 == pytest.approx(area / 2)
    assert sizes(frames, NETWORK, 2, matches, 0.95).hits == 0
