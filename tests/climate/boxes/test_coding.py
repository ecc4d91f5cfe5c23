"""Boxes become what a network should say, and boxes again."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from baryon.errors import BaryonError
from baryon_climate.boxes.coding import cell_of, decode, detect, encode

FRAME, CELL, MOST = (96, 128), 16, 15
GRID = (FRAME[0] // CELL, FRAME[1] // CELL)


@st.composite
def frames_of_boxes(draw, *, cyclic: bool):
    """Whole-pixel boxes with their centres in different cells; cyclic ones may cross the seam."""
    cells = draw(st.sets(st.integers(0, GRID[0] * GRID[1] - 1), max_size=MOST))
    boxes = []
    for cell in cells:
        row, column = divmod(cell, GRID[1])
        y = draw(st.integers(2 * row * CELL, 2 * (row + 1) * CELL - 1))  # twice the centre
        x = draw(st.integers(2 * column * CELL, 2 * (column + 1) * CELL - 1))
        tall = draw(side(y, 2 * FRAME[0]))
        wide = draw(side(x, None if cyclic else 2 * FRAME[1], FRAME[1]))
        if not tall or not wide:
            continue
        xmin, xmax = (x - wide) / 2, (x + wide) / 2
        if xmin < 0:
            xmin, xmax = xmin + FRAME[1], xmax + FRAME[1]
        boxes.append([(y - tall) / 2, xmin, (y + tall) / 2, xmax, draw(st.integers(0, 3))])
    return draw(st.permutations(boxes))


def side(centre: int, end: int | None, most: int = 10**6):
    """Even or odd like the doubled centre, so that edges are whole pixels; 0 if none fits."""
    largest = most if end is None else min(centre, end - centre)
    sides = range(2 - centre % 2, largest + 1, 2)
    return st.sampled_from(sides) if sides else st.just(0)


def padded(boxes) -> torch.Tensor:
    rows = [*boxes, *[[-1.0] * 5] * (MOST - len(boxes))]
    return torch.tensor([rows], dtype=torch.float32)


def in_order(boxes: torch.Tensor) -> np.ndarray:
    rows = sorted(boxes.tolist(), key=lambda row: [round(value) for value in row])
    return np.array(rows, dtype=np.float64).reshape(-1, 5)


@pytest.mark.parametrize("cyclic", [False, True])
@given(data=st.data())
def test_decoding_is_the_inverse_of_encoding(cyclic, data):
    boxes = padded(data.draw(frames_of_boxes(cyclic=cyclic)))
    (found,) = decode(encode(boxes, FRAME, CELL), frame=FRAME, cell=CELL, cyclic=cyclic)
    used = boxes[0][boxes[0, :, 4] >= 0]
    np.testing.assert_allclose(in_order(found), in_order(used), atol=1e-4)
    np.testing.assert_array_equal(in_order(found).round(), in_order(used).round())


@given(data=st.data())
def test_encoding_is_the_inverse_of_decoding(data):
    targets = encode(padded(data.draw(frames_of_boxes(cyclic=True))), FRAME, CELL)
    (found,) = decode(targets, frame=FRAME, cell=CELL, cyclic=True)
    again = encode(padded(found.tolist()), FRAME, CELL)
    assert torch.equal(again.occupied, targets.occupied)
    assert torch.equal(again.classes, targets.classes)
    torch.testing.assert_close(again.position, targets.position, atol=1e-5, rtol=0)
    torch.testing.assert_close(again.size, targets.size, atol=1e-5, rtol=0)


@given(data=st.data())
def test_a_sure_network_that_says_the_targets_is_understood(data):
    """The whole way back, with logits, thresholds and suppression."""
    boxes = padded(data.draw(frames_of_boxes(cyclic=True)))
    targets = encode(boxes, FRAME, CELL)
    there = torch.where(targets.occupied, 20.0, -20.0)
    output = {
        "objectness": torch.stack([there, -there], dim=1),
        "classes": 20.0 * torch.nn.functional.one_hot(targets.classes, 4).movedim(-1, 1).float(),
        "position": targets.position,
        "size": targets.size,
    }
    options = {"frame": FRAME, "cell": CELL, "cyclic": True, "confidence": 0.8, "most": 100}
    (found,) = detect(output, **options, overlap=1.0)
    said = torch.cat([found.boxes, found.classes[:, None].float()], dim=1)
    used = boxes[0][boxes[0, :, 4] >= 0]
    np.testing.assert_allclose(in_order(said), in_order(used), atol=1e-4)


@pytest.mark.parametrize("cyclic", [True, False])
def test_boxes_of_frames_that_whole_cells_exceed_come_back(cyclic):
    """As 721 rows and 1440 columns with cells of 64 pixels: 12 x 23 cells, the last ones a part."""
    frame = (91, 120)
    boxes = [[80.0, 10, 91, 30, 1], [20.0, 100, 40, 120, 2], [50.0, 110, 70, 119, 0]]
    if cyclic:
        boxes.append([0.0, 116, 20, 130, 3])  # its centre, 123, is column 3
    cell = cell_of(frame, (6, 8))
    assert cell == CELL
    targets = encode(padded(boxes), frame, cell)
    assert targets.occupied.shape == (1, 6, 8)
    there = torch.where(targets.occupied, 20.0, -20.0)
    output = {
        "objectness": torch.stack([there, -there], dim=1),
        "classes": 20.0 * torch.nn.functional.one_hot(targets.classes, 4).movedim(-1, 1).float(),
        "position": targets.position,
        "size": targets.size,
    }
    options = {"cyclic": cyclic, "confidence": 0.5, "overlap": 1.0, "most": 9}
    (found,) = detect(output, frame=frame, cell=cell, **options)
    said = torch.cat([found.boxes, found.classes[:, None].float()], dim=1)
    np.testing.assert_allclose(in_order(said), in_order(torch.tensor(boxes)), atol=1e-4)


def test_nothing_is_said_of_centres_beyond_the_frame():
    frame, cells = (91, 120), (6, 8)
    output = {
        "objectness": torch.stack([torch.full((1, *cells), 9.0), torch.zeros(1, *cells)], dim=1),
        "classes": torch.zeros(1, 4, *cells),
        "position": torch.full((1, 2, *cells), 0.9),  # of the last cells: 94.4 and 126.4
        "size": torch.full((1, 2, *cells), -2.0),
    }
    options = {"confidence": 0.1, "overlap": 1.0, "most": 999}
    for cyclic in (True, False):
        (found,) = detect(output, frame=frame, cell=CELL, cyclic=cyclic, **options)
        assert len(found.boxes) == 4 * 5 * 7
        assert (found.boxes[:, 2] > found.boxes[:, 0]).all()


@pytest.mark.parametrize(
    ("frame", "cells", "cell"),
    [((721, 1440), (23, 45), 32), ((721, 1440), (12, 23), 64), ((96, 144), (24, 36), 4),
     ((22, 22), (2, 2), 16), ((33, 33), (11, 11), 3), ((20, 40), (1, 2), 32)],
)  # fmt: skip
def test_the_size_of_cells_follows_from_their_number(frame, cells, cell):
    assert cell_of(frame, cells) == cell


def test_numbers_of_cells_that_cannot_be_are_refused():
    with pytest.raises(BaryonError, match="64 x 96 pixels are not divided into 3 x 6 cells"):
        cell_of((64, 96), (3, 6))


def test_a_box_by_hand():
    """20 x 30 pixels around (33, 17) with class 2: the cell in row 2, column 1."""
    boxes = torch.tensor([[[23.0, 2.0, 43.0, 32.0, 2.0]]])
    targets = encode(boxes, FRAME, CELL)
    assert targets.occupied.nonzero().tolist() == [[0, 2, 1]]
    assert targets.position[0, :, 2, 1].tolist() == [pytest.approx(1 / 16), pytest.approx(1 / 16)]
    expected = np.log2([30 / 16, 20 / 16])
    assert targets.size[0, :, 2, 1].tolist() == pytest.approx(expected)
    assert targets.classes[0, 2, 1] == 2
    empty = ~targets.occupied[0]
    assert targets.size[0, :, empty].abs().max() == 0


def test_a_box_across_the_seam_is_said_where_its_centre_is():
    boxes = torch.tensor([[[10.0, 120.0, 30.0, 150.0, 1.0]]])  # centre at 135 = 7 of the next turn
    targets = encode(boxes, FRAME, CELL)
    assert targets.occupied.nonzero().tolist() == [[0, 1, 0]]
    (found,) = decode(targets, frame=FRAME, cell=CELL, cyclic=True)
    torch.testing.assert_close(found, boxes[0])


def test_of_two_boxes_in_a_cell_the_later_one_is_said():
    boxes = torch.tensor([[[0.0, 0, 10, 10, 1], [2, 2, 8, 8, 3], [-1, -1, -1, -1, -1]]])
    targets = encode(boxes, FRAME, CELL)
    assert targets.classes[targets.occupied].tolist() == [3]


def test_rivals_are_suppressed_within_their_class_only():
    boxes = torch.tensor([[[0.0, 0, 30, 30, 1], [0, 20, 30, 50, 1], [0, 30, 30, 70, 2]]])
    targets = encode(boxes, FRAME, CELL)
    there = torch.where(targets.occupied, 5.0, -5.0)
    one_hot = torch.nn.functional.one_hot(targets.classes, 4).movedim(-1, 1).float()
    output = {
        "objectness": torch.stack([there, torch.zeros_like(there)], dim=1),
        "classes": 9 * one_hot,
        "position": targets.position,
        "size": targets.size,
    }
    options = {"frame": FRAME, "cell": CELL, "cyclic": False, "confidence": 0.5, "most": 9}
    counts = [len(detect(output, **options, overlap=at)[0].boxes) for at in (0.1, 0.9)]
    assert counts == [2, 3]
    (best,) = detect(output, **options | {"most": 1}, overlap=0.9)
    assert len(best.scores) == 1


def test_boxes_are_clipped_to_the_frame_unless_it_is_cyclic():
    position, size = torch.zeros(1, 2, *GRID), torch.full((1, 2, *GRID), -3.0)
    size[0, :, 0, 0] = 2.0
    output = {
        "objectness": torch.stack([size[:, 0] * 9, -size[:, 0]], dim=1),
        "classes": torch.tensor([9.0, 0, 0, 0])[None, :, None, None].expand(1, 4, *GRID),
        "position": position,
        "size": size,
    }
    options = {"frame": FRAME, "cell": CELL, "confidence": 0.5, "most": 9, "overlap": 0.5}
    (here,) = detect(output, **options, cyclic=False)
    assert here.boxes.tolist() == [[0, 0, 32, 32]]
    (around,) = detect(output, **options, cyclic=True)
    assert around.boxes.tolist() == [[0, 96, 32, 160]]
