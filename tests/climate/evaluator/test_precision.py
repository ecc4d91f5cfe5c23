"""Average precision by hand, against faster-coco-eval, and its errors."""

import contextlib
import io
import warnings

import numpy as np
import pytest

from baryon_climate.evaluator.frames import NETWORK
from baryon_climate.evaluator.matching import match_by_overlap, partners
from baryon_climate.evaluator.precision import COCO_RANGE, average_precision, curve
from baryon_climate.evaluator.precisions import precisions
from baryon_climate.grid import Grid

NO_DRAWS = np.ones((2, 1))


def of(frames, rule, thresholds, draws=None):
    draws = np.ones((2, len(frames))) if draws is None else draws
    return precisions(frames, NETWORK, rule, thresholds, draws)


def by_library(frames) -> np.ndarray:
    """(thresholds, classes), computed by faster-coco-eval on the same boxes."""
    from faster_coco_eval import COCO, COCOeval_faster

    known, found = [], []
    for frame in frames:
        for corners, number in zip(frame.truth.corners, frame.truth.classes, strict=True):
            known.append(as_coco(len(known) + 1, frame.key, corners, number))
        boxes = frame.detected[NETWORK]
        for corners, number, score in zip(boxes.corners, boxes.classes, boxes.scores, strict=True):
            found.append(as_coco(len(found) + 1, frame.key, corners, number, score))
    images = [{"id": frame.key + 1, "height": 97, "width": 144} for frame in frames]
    classes = [{"id": number, "name": str(number)} for number in range(1, 5)]
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        truth = COCO({"images": images, "annotations": known, "categories": classes})
        evaluation = COCOeval_faster(
            truth, truth.loadRes(found), "bbox", print_function=lambda *_: 0
        )
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]  # all areas, 100 boxes
    return np.where(precision < 0, np.nan, precision).mean(axis=1)


def as_coco(number, key, corners, of_class, score=None):
    ymin, xmin, ymax, xmax = map(float, corners)
    box = [xmin, ymin, xmax - xmin, ymax - ymin]
    rest = {"iscrowd": 0, "area": box[2] * box[3]} if score is None else {"score": float(score)}
    return {
        "id": number,
        "image_id": key + 1,
        "category_id": int(of_class) + 1,
        "bbox": box,
        **rest,
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_cocos_rule_is_that_of_cocos_code(random_frames, seed):
    frames = random_frames(40, seed, Grid(97, 144, -90, 1.875, 0, 2.5, cyclic=False))
    found = of(frames, "coco", [])
    np.testing.assert_allclose(found.thresholds, COCO_RANGE)
    np.testing.assert_allclose(found.values, by_library(frames), atol=1e-6)


def test_the_area_by_hand():
    """Three of four found: right, wrong, right, right."""
    right = np.array([1.0, 0, 1, 1])
    recall, precision = curve(np.stack([right, np.ones(4)]), 4)
    assert recall.tolist() == [0.25, 0.25, 0.5, 0.75]
    assert precision.tolist() == [1, 0.5, 2 / 3, 0.75]
    exact = average_precision(recall, precision, "racah")
    assert exact == pytest.approx(0.25 * 1 + 0.5 * 0.75)
    sampled = average_precision(recall, precision, "coco")
    assert sampled == pytest.approx((26 * 1 + 50 * 0.75) / 101)


def test_nothing_found_is_zero_and_nothing_known_is_not_a_number(frame):
    found = of([frame(0, [[0, 0, 9, 9, 1]], [])], "racah", [0.5])
    np.testing.assert_array_equal(found.values, [[np.nan, 0, np.nan, np.nan]])
    assert found.mean(0.5)[0] == 0


def test_racahs_rule_wants_more_than_the_threshold_and_cocos_as_much(frame):
    """Boxes that share just half of their union."""
    frames = [frame(0, [[0, 0, 10, 20, 0]], [[0, 0, 10, 10, 0, 0.9]])]
    assert of(frames, "racah", [0.5]).of_class(0, 0.5)[0] == 0
    assert of(frames, "coco", [0.5]).of_class(0, 0.5)[0] == pytest.approx(1)


def test_a_known_box_is_found_once_and_by_the_best_score(frame):
    twice = [[0, 0, 10, 10, 0, 0.9], [0, 0, 10, 9, 0, 0.8], [0, 50, 10, 60, 0, 0.7]]
    matches = match_by_overlap(
        [frame(0, [[0, 0, 10, 9, 0], [40, 40, 50, 50, 0]], twice)],
        NETWORK,
        0,
        np.array([0.5]),
        strict=True,
    )
    assert matches.right[:, 0].tolist() == [True, False, False]
    assert matches.partner[:, 0].tolist() == [0, -1, -1]


def test_the_closest_is_taken_and_of_equals_the_last():
    closeness = np.array([[0.6, 0.9, 0.2], [0.7, 0.95, 0.1], [0.5, 0.1, 0.5]])
    assert partners(closeness, 0.3).tolist() == [1, 0, 2]
    assert partners(np.array([[0.5, 0.5]]), 0.5).tolist() == [1]
    assert partners(np.zeros((2, 0)), 0.5).tolist() == [-1, -1]


def test_a_box_across_the_seam_is_found_on_its_other_side(frame):
    """On the globe the boxes are the same; in a crop of its size they share nothing."""
    known, found = [[10, 140, 20, 150, 1]], [[10, -4, 20, 6, 1, 0.9]]
    crop = Grid(97, 144, -90, 1.875, 0, 2.5, cyclic=False)
    values = [
        of([frame(0, known, found, grid=grid)], "racah", [0.5]).of_class(1, 0.5)[0]
        for grid in (Grid.globe(97, 144), crop)
    ]
    assert values == [1, 0]


def test_errors_are_the_spread_over_frames_drawn_anew(random_frames):
    """A replica that draws a frame twice counts it twice, as if it were there twice."""
    frames = random_frames(12, 5)
    draws = np.random.default_rng(1).poisson(1.0, (50, 12)).astype(float)
    found = of(frames, "racah", [0.3], draws)
    twice = [one for one, count in zip(frames, draws[0], strict=True) for _ in range(int(count))]
    np.testing.assert_allclose(found.replicas[0], of(twice, "racah", [0.3]).values)
    value, error = found.mean(0.3)
    means = np.nanmean(found.replicas[:, 0], axis=1)
    assert error == pytest.approx(means.std(ddof=1))
    assert 0 < error < value
