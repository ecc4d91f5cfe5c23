"""All figures of the evaluator can be read: nothing leaves the canvas, no text covers another."""

import numpy as np
import pytest

from baryon_climate.evaluator.examples import Example
from baryon_climate.evaluator.figures import figures
from baryon_climate.evaluator.plot_maps import draw_maps
from baryon_climate.evaluator.results import Results, results
from baryon_climate.grid import Grid

pytestmark = pytest.mark.usefixtures("laid_out")

OVERLAPS = [0.1, 0.3, 0.5]
REGION = Grid(97, 144, 5.0, 0.25, 250.0, 0.25, False)


@pytest.fixture(scope="module")
def found(random_frames) -> Results:
    frames = random_frames(12, 3)
    draws = np.random.default_rng(1).poisson(1.0, (3, len(frames))).astype(float)
    return results(frames, OVERLAPS, [500.0] * 4, 0.5, draws, 1, 0)


def example(frame) -> Example:
    return Example(frame, np.full((97, 144), 20.0, np.float32), "noleap", synthetic=True)


@pytest.fixture(scope="module")
def usual(found, random_frames):
    return figures(found, [example(frame) for frame in random_frames(2, 5)])


@pytest.mark.parametrize("name", ["precision_recall", "performance", "maps"])
def test_no_text_is_cut_or_covered(usual, faults_of_figure, name):
    assert faults_of_figure(usual[name]) == []


def test_maps_of_a_region_can_be_read_too(random_frames, faults_of_figure):
    figure = draw_maps([example(frame) for frame in random_frames(1, 6, REGION)], 0.5)
    assert faults_of_figure(figure) == []


def test_boxes_at_the_edges_and_on_one_another_are_named_where_there_is_room(
    frame, faults_of_figure
):
    said = [
        [40, 140, 50, 150, 2, 0.9],  # across the seam
        [60, 138, 70, 143, 1, 0.8],  # at the right edge
        [85, 60, 96, 70, 3, 0.7],  # at the pole
        [0, 60, 12, 70, 3, 0.6],
        *[[20, 60, 30, 70, 0, 0.95]] * 2,
        [0, 20, 96, 30, 2, 0.85],  # from pole to pole
    ]
    figure = draw_maps([example(frame(0, [], said))], 0.5)
    assert faults_of_figure(figure) == []
    names = sorted(text.get_text() for text in figure.axes[0].texts)
    assert names == [
        "AR 0.60", "AR 0.70", "ETC 0.85", "ETC 0.90", "ETC 0.90", "TC 0.80", "TD 0.95", "TD 0.95",
    ]  # fmt: skip
