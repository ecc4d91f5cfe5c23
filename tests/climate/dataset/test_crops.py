"""Boxes in crops, compared with boxes painted into a frame and cut as pixels."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from baryon_climate.dataset.crops import Crop, Cropping, columns

HEIGHT, WIDTH = 20, 30


@st.composite
def _cases(draw):
    size = draw(st.integers(4, HEIGHT)), draw(st.integers(4, WIDTH - 1))
    cyclic = draw(st.booleans())
    cropping = Cropping((HEIGHT, WIDTH), size, cyclic, keep=draw(st.sampled_from([0.3, 0.6, 0.9])))
    crop = Crop(
        draw(st.integers(0, cropping.rows - 1)), draw(st.integers(0, cropping.columns - 1)), *size
    )
    ymin, xmin = draw(st.integers(0, HEIGHT - 2)), draw(st.integers(0, WIDTH - 2))
    ymax = draw(st.integers(ymin + 1, HEIGHT))
    most = xmin + 12 if cyclic else min(WIDTH, xmin + 12)
    return cropping, crop, (ymin, xmin, ymax, draw(st.integers(xmin + 1, most)))


def _painted(cropping: Cropping, crop: Crop, box: tuple[int, ...]) -> np.ndarray:
    frame = np.zeros((HEIGHT, WIDTH), bool)
    frame[box[0] : box[2], np.arange(box[1], box[3]) % WIDTH] = True
    cut = np.zeros((crop.height, crop.width), bool)
    for of_crop, of_frame in columns(crop, WIDTH):
        cut[:, of_crop] = frame[crop.row : crop.row + crop.height, of_frame]
    return cut


# Exactly the share to keep is in the crop, 15 of 50 pixels; a float32 0.3 * 50 is above 15.
AT_THE_LIMIT = (
    Cropping((HEIGHT, WIDTH), (HEIGHT, 10), False, keep=0.3),
    Crop(0, 0, HEIGHT, 10),
    (0, 7, 5, 17),
)


@given(_cases())
@example(AT_THE_LIMIT)
def test_a_box_is_where_its_pixels_are(case):
    cropping, crop, box = case
    row = np.full((3, 5), -1, np.float32)
    row[0] = *box, 2
    boxes = cropping.boxes(row, crop)
    cut = _painted(cropping, crop, box)
    share = cut.sum() / ((box[2] - box[0]) * (box[3] - box[1]))
    assert (boxes[1:] == -1).all()
    if boxes[0, 4] == -1:
        wide = cut.any(axis=0)
        in_two = np.count_nonzero(np.diff(wide.astype(int), prepend=0) == 1) > 1
        assert share < cropping.keep or in_two
        return
    ymin, xmin, ymax, xmax, kind = boxes[0].astype(int)
    assert kind == 2
    assert cut[ymin:ymax, xmin:xmax].all()
    area = (box[2] - box[0]) * (box[3] - box[1])
    assert (ymax - ymin) * (xmax - xmin) / area >= cropping.keep
    assert share >= cropping.keep


def test_a_box_across_the_seam_is_whole_in_a_crop_across_it():
    cropping = Cropping((HEIGHT, WIDTH), (HEIGHT, 16), True, 0.5)
    boxes = np.array([[4, 27, 9, 33, 1]], np.float32)
    assert cropping.boxes(boxes, Crop(0, 22, HEIGHT, 16)).tolist() == [[4, 5, 9, 11, 1]]
    assert cropping.boxes(boxes, Crop(0, 0, HEIGHT, 16)).tolist() == [[4, 0, 9, 3, 1]]
    assert cropping.boxes(boxes, Crop(0, 2, HEIGHT, 16)).tolist() == [[-1] * 5]


def test_the_whole_circle_clips_nothing():
    cropping = Cropping((HEIGHT, WIDTH), (HEIGHT, WIDTH), True, 0.5)
    boxes = np.array([[4, 20, 9, 33, 1]], np.float32)
    assert cropping.boxes(boxes, Crop(0, 0, HEIGHT, WIDTH)).tolist() == [[4, 20, 9, 33, 1]]
    assert cropping.boxes(boxes, Crop(0, 25, HEIGHT, WIDTH)).tolist() == [[4, 25, 9, 38, 1]]


def test_a_region_that_is_no_circle_ends_at_its_edges():
    cropping = Cropping((HEIGHT, WIDTH), (HEIGHT, 16), False, 0.5)
    assert cropping.columns == WIDTH - 16 + 1
    starts = [cropping.random(np.random.default_rng(seed)).column for seed in range(200)]
    assert (min(starts), max(starts)) == (0, 14)


@pytest.mark.parametrize("cyclic", [True, False])
def test_fixed_crops_are_spread_evenly_and_never_change(cyclic):
    cropping = Cropping((HEIGHT, WIDTH), (10, 16), cyclic, 0.5)
    crops = [cropping.fixed(number) for number in range(300)]
    assert crops == [cropping.fixed(number) for number in range(300)]
    for starts, count in (
        ([crop.column for crop in crops], cropping.columns),
        ([crop.row for crop in crops], cropping.rows),
    ):
        found = np.bincount(starts, minlength=count)
        assert found.min() > 0.7 * 300 / count
        assert found.max() < 1.4 * 300 / count
