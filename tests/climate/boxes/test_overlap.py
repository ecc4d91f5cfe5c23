"""Overlap of boxes on a plane and around the globe."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from baryon_climate.boxes.overlap import areas, iou
from baryon_climate.boxes.suppression import suppress

PERIOD = 24

edges = st.tuples(st.integers(0, 11), st.integers(1, 12), st.integers(0, 23), st.integers(1, 24))
boxes = edges.map(lambda e: [e[0], e[2], min(12, e[0] + e[1]), e[2] + e[3]])


def pixels(box, period: int | None) -> set[tuple[int, int]]:
    columns = range(box[1], box[3])
    return {
        (row, column % period if period else column)
        for row in range(box[0], box[2])
        for column in columns
    }


@given(one=boxes, other=boxes, period=st.sampled_from([None, PERIOD]))
def test_it_is_the_share_of_common_pixels(one, other, period):
    here, there = pixels(one, period), pixels(other, period)
    expected = len(here & there) / len(here | there)
    found = iou(torch.tensor([one]).float(), torch.tensor([other]).float(), period)
    torch.testing.assert_close(found, torch.tensor([[expected]]))


def test_every_pair_is_compared():
    some = torch.tensor([[0.0, 0, 4, 4], [0, 2, 4, 6]])
    torch.testing.assert_close(iou(some, some), torch.tensor([[1.0, 1 / 3], [1 / 3, 1.0]]))
    assert iou(some, torch.zeros(0, 4)).shape == (2, 0)


def test_boxes_without_area_overlap_nothing():
    nothing = torch.tensor([[1.0, 1, 1, 1], [3, 3, 2, 2]])
    assert areas(nothing).tolist() == [0, 0]
    assert not iou(nothing, nothing).any()


def test_the_best_stays_and_frees_those_that_only_a_suppressed_one_overlaps():
    row = torch.tensor([[0.0, 0, 1, 10], [0, 5, 1, 15], [0, 10, 1, 20]])
    scores, classes = torch.tensor([0.9, 0.8, 0.7]), torch.zeros(3, dtype=torch.int64)
    assert suppress(row, scores, classes, overlap=0.3, period=None).tolist() == [0, 2]
    assert suppress(row, scores, classes, overlap=0.5, period=None).tolist() == [0, 1, 2]
    assert suppress(row, scores, torch.arange(3), overlap=0.3, period=None).tolist() == [0, 1, 2]


def test_rivals_are_seen_across_the_seam():
    seam = torch.tensor([[0.0, 20, 4, 28], [0, 0, 4, 4]])
    scores, classes = torch.tensor([0.5, 0.6]), torch.zeros(2, dtype=torch.int64)
    assert suppress(seam, scores, classes, overlap=0.4, period=PERIOD).tolist() == [1]
    assert suppress(seam, scores, classes, overlap=0.4, period=None).tolist() == [1, 0]
