"""Frames mirrored at the equator: winds, boxes and grids."""

import numpy as np
import pytest

from baryon.errors import BaryonError
from baryon_climate.dataset.mirroring import mirror, mirror_boxes, require_symmetric
from baryon_climate.fields import CHANNELS, index
from baryon_climate.grid import Grid


class Always:
    """Random numbers that mirror every sample, or none."""

    def __init__(self, value):
        self.value = value

    def random(self, count):
        return np.full(count, self.value)


def batch_of(split):
    return {**split.read(0, 4), "keys": np.arange(4)}


def test_a_mirrored_sample_has_winds_of_the_other_sign_and_boxes_on_the_other_side(
    write_year, open_years
):
    write_year(1979)
    split = open_years(train=1979, mirror=True).splits["train"]
    plain, mirrored = batch_of(split), split.augment(batch_of(split), Always(0.0))
    middle, half = split.scaling.T[:, :, None, None]
    before = plain["inputs"] * half + middle
    after = mirrored["inputs"] * half + middle
    for channel in CHANNELS:
        number = index(channel.name)
        sign = -1 if channel.name in ("V850", "VBOT") else 1
        expected = sign * before[:, number, ::-1]
        tolerance = 1e-5 * float(half[number, 0, 0])
        np.testing.assert_allclose(after[:, number], expected, atol=tolerance)
    used = plain["boxes"][..., 4] >= 0
    ymin, xmin, ymax, xmax, kind = plain["boxes"][used].T
    expected = np.stack([23 - ymax, xmin, 23 - ymin, xmax, kind], axis=1)
    np.testing.assert_array_equal(mirrored["boxes"][used], expected)
    assert (mirrored["boxes"][~used] == -1).all()


def test_a_box_surrounds_the_same_pixels_after_mirroring():
    inputs = np.zeros((16, 24, 36), np.float32)
    inputs[0, 3:8, 10:15] = 1  # rows 3 to 7 are the centres of pixels
    boxes = np.array([[3, 10, 7, 14, 1], [-1, -1, -1, -1, -1]], np.float32)
    mirror(inputs, CHANNELS, np.tile(np.float32([0, 1]), (16, 1)))
    mirror_boxes(boxes, 24)
    rows = np.flatnonzero(inputs[0].any(axis=1))
    assert boxes[0].tolist() == [rows[0], 10, rows[-1], 14, 1]


def test_half_of_the_samples_and_only_those_of_training(write_year, open_years):
    write_year(1979)
    write_year(1980)
    splits = open_years(train=1979, val=1980, mirror=True).splits
    random, same = np.random.default_rng(1), []
    plain = batch_of(splits["train"])
    for _ in range(100):
        changed = splits["train"].augment(batch_of(splits["train"]), random)["inputs"]
        same += [np.array_equal(*pair) for pair in zip(changed, plain["inputs"], strict=True)]
    assert 0.4 < np.mean(same) < 0.6
    val = batch_of(splits["val"])
    assert splits["val"].augment(val, Always(0.0)) is val


def test_crops_are_cut_after_mirroring(write_year, open_years):
    write_year(1979)
    split = open_years(train=1979, mirror=True, crop=12).splits["train"]
    assert split.fields["inputs"].shape[-2:] == (24, 36)
    plain = split.augment(batch_of(split), Always(1.0))
    assert plain["inputs"].shape[-2:] == split.augmented_fields["inputs"].shape[-2:] == (12, 12)
    untouched = open_years(train=1979, crop=12).splits["train"].read(0, 4)
    for name, values in untouched.items():
        np.testing.assert_array_equal(plain[name], values)


def test_regional_grids_are_refused_in_one_line():
    require_symmetric(Grid.globe(24, 36))
    require_symmetric(Grid(180, 360, 89.5, -1.0, 0.0, 1.0, True))
    with pytest.raises(BaryonError, match="from 10 to 56 degrees north: leave it at false"):
        require_symmetric(Grid(24, 36, 10.0, 2.0, 0.0, 1.0, False))
