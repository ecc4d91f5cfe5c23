"""The loss by hand, with and without labels, and on several processes."""

import math
from itertools import pairwise

import pytest
import torch
from torch.nn.functional import smooth_l1_loss

from baryon.config.option_values import option_values
from baryon.errors import BaryonError
from baryon.plugins.registry import discover
from baryon_climate.boxes.coding import encode
from baryon_climate.loss.climate_semi_supervised import ClimateSemiSupervised
from baryon_climate.loss.nearness import nearness
from baryon_climate.loss.overlap import generalised_iou

FRAME, CELL = (32, 48), 16
GRID = (2, 3)
BOX = [2.0, 20.0, 12.0, 40.0, 2.0]  # centre (7, 30): row 0, column 1
UNUSED = [-1.0] * 5


def loss(**changes) -> ClimateSemiSupervised:
    values = option_values("", "loss", "climate_semi_supervised", discover())
    del values["name"]
    return ClimateSemiSupervised(**values | changes)


def output_of(samples: int, *, seed: int = 1) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    numbers = {"objectness": 2, "classes": 4, "position": 2, "size": 2}
    output = {
        name: torch.randn(samples, number, *GRID, generator=random)
        for name, number in numbers.items()
    }
    output["reconstruction"] = torch.randn(samples, 16, *FRAME, generator=random)
    return {name: tensor.requires_grad_() for name, tensor in output.items()}


def batch_of(labelled, boxes=None) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(2)
    samples = len(labelled)
    return {
        "inputs": torch.randn(samples, 16, *FRAME, generator=random),
        "boxes": torch.tensor(boxes or [[BOX, UNUSED]] * samples),
        "labelled": torch.tensor(labelled, dtype=torch.uint8),
        "keys": torch.arange(samples),
    }


def test_every_term_by_hand():
    output, batch = output_of(1), batch_of([1])
    terms = loss()(output, batch)
    said = {name: tensor[0, :, 0, 1] for name, tensor in output.items()}
    chance = output["objectness"].log_softmax(dim=1)[0]
    empty = chance[1].sum() - chance[1, 0, 1]
    error = (output["reconstruction"] - batch["inputs"]) ** 2
    offset = torch.tensor([30 / 16 - 1, 7 / 16])
    sides = torch.tensor([math.log2(20 / 16), math.log2(10 / 16)])
    expected = {
        "position": 5 * smooth_l1_loss(said["position"], offset, reduction="sum"),
        "size": 7 * smooth_l1_loss(said["size"], sides, reduction="sum"),
        "objectness": -chance[0, 0, 1] - 0.5 * empty,
        "class": -said["classes"].log_softmax(dim=0)[2],
        "reconstruction": 10 * error.mean(),
    }
    assert terms.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value)


def test_anomalies_are_rebuilt_where_the_dataset_brings_them():
    output, batch = output_of(2), batch_of([1, 0])
    batch["anomalies"] = output["reconstruction"].detach() + 2
    assert loss()(output, batch)["reconstruction"].item() == pytest.approx(40)


def test_a_frame_without_labels_contributes_its_reconstruction_only():
    output, batch = output_of(1), batch_of([0])
    terms = loss()(output, batch)
    assert [name for name, value in terms.items() if value] == ["reconstruction"]
    sum(terms.values()).backward()
    for name in ("objectness", "classes", "position", "size"):
        assert not output[name].grad.any()
    assert output["reconstruction"].grad.any()


def test_an_empty_labelled_frame_says_that_nothing_is_there():
    output, batch = output_of(1), batch_of([1], [[UNUSED]])
    terms = loss()(output, batch)
    chance = output["objectness"].log_softmax(dim=1)[0, 1]
    torch.testing.assert_close(terms["objectness"], -0.5 * chance.sum())
    assert [name for name, value in terms.items() if value] == ["objectness", "reconstruction"]


def test_without_the_branch_there_is_no_such_term():
    output = output_of(2)
    del output["reconstruction"]
    assert "reconstruction" not in loss()(output, batch_of([1, 0]))


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize("sizes", [(3, 1), (1, 1, 2), (0, 4)])
def test_shares_with_unequal_labels_add_up_to_the_whole(modern, sizes):
    """As the communicators weight them: each share's mean times its samples over all."""
    changes = {"focusing": 2.0, "nearness": 0.2, "overlap": 1.0} if modern else {}
    term = loss(**changes)
    output, batch = output_of(4), batch_of([1, 0, 0, 1])
    whole = term(output, batch)
    bounds = [sum(sizes[:n]) for n in range(len(sizes) + 1)]
    summed = dict.fromkeys(whole, 0.0)
    for start, stop in pairwise(bounds):
        if stop > start:
            part = {name: tensor[start:stop] for name, tensor in output.items()}
            of = {name: tensor[start:stop] for name, tensor in batch.items()}
            for name, value in term(part, of).items():
                summed[name] += value * (stop - start) / 4
    for name, value in whole.items():
        torch.testing.assert_close(summed[name], value)


def test_the_windows_of_the_network_with_time_are_rebuilt_whole():
    output, batch = output_of(2), batch_of([1, 1])
    batch["inputs"] = torch.zeros(2, 16, 4, *FRAME)
    output["reconstruction"] = torch.ones(2, 16, 4, *FRAME)
    assert loss()(output, batch)["reconstruction"] == 10


def test_learning_the_targets_leaves_nothing_of_the_boxes_terms():
    batch = batch_of([1, 1])
    targets = encode(batch["boxes"], FRAME, CELL)
    there = torch.where(targets.occupied, 50.0, -50.0)
    output = {
        "objectness": torch.stack([there, -there], dim=1),
        "classes": 50.0 * torch.nn.functional.one_hot(targets.classes, 4).movedim(-1, 1).float(),
        "position": targets.position,
        "size": targets.size,
        "reconstruction": batch["inputs"],
    }
    terms = loss(focusing=2.0, nearness=0.2, overlap=1.0)(output, batch)
    assert all(value.item() == pytest.approx(0, abs=1e-5) for value in terms.values())


def test_focusing_turns_to_what_is_not_yet_learnt():
    output, batch = output_of(1), batch_of([1])
    plain, focused = (loss(focusing=g)(output, batch)["objectness"] for g in (0.0, 2.0))
    chance = output["objectness"].softmax(dim=1)[0]
    there, empty = chance[0, 0, 1], chance[1].flatten()[[0, 2, 3, 4, 5]]
    expected = -((1 - there) ** 2) * there.log() - 0.5 * ((1 - empty) ** 2 * empty.log()).sum()
    torch.testing.assert_close(focused, expected)
    assert focused < plain


def test_near_a_centre_empty_cells_are_blamed_less_around_the_globe_too():
    boxes = torch.tensor([[[0.0, 24, 32, 56, 1.0], UNUSED]])  # centre 40 of 48: the last column
    near = nearness(boxes, FRAME, CELL, 0.5)
    assert near[0, 0].tolist() == near[0, 1].tolist()
    assert near[0, 0, 0] == near[0, 0, 1] < near[0, 0, 2] <= 1
    assert not nearness(boxes[:, 1:], FRAME, CELL, 0.5).any()


def test_generalised_iou_by_hand():
    one = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 1, 1]])
    other = torch.tensor([[0.0, 0, 2, 2], [1, 1, 3, 3], [0, 3, 1, 4]])
    expected = torch.tensor([1.0, 1 / 7 - 2 / 9, -0.5])
    torch.testing.assert_close(generalised_iou(one, other), expected)


def test_weights_below_zero_are_refused():
    with pytest.raises(BaryonError, match=r"size=-1\.0 is below 0"):
        loss(size=-1.0)
