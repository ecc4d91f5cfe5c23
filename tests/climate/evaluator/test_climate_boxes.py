"""The evaluator as the host calls it."""

import math
import pickle

import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection

from baryon.config.option_values import option_values
from baryon.errors import BaryonError
from baryon.plugins.registry import discover
from baryon_climate.boxes.coding import encode
from baryon_climate.evaluator.climate_boxes import ClimateBoxes
from baryon_climate.fields import index
from baryon_climate.grid import Grid

FRAME, CELL = (48, 72), 4
GRID = Grid.globe(*FRAME)


def evaluator(**changes) -> ClimateBoxes:
    values = option_values("", "evaluator", "climate_boxes", discover())
    del values["name"]
    return ClimateBoxes(**values | {"bootstrap": 5, "example_maps": 2} | changes)


def batch_of(keys, labelled=None, *, seed=1) -> dict[str, torch.Tensor]:
    """Frames of noise with three boxes each, one across the seam."""
    random = np.random.default_rng(seed)
    count = len(keys)
    boxes = np.full((count, 15, 5), -1.0, np.float32)
    for number, key in enumerate(keys):
        shift = key % 5
        boxes[number, :3] = [
            [30, 66, 38, 76, 1],
            [10 + shift, 20, 18 + shift, 32, 2],
            [20, 40 + shift, 27, 50 + shift, key % 4],
        ]
    scaling = np.tile(np.array([[0.0, 1.0]], np.float32), (16, 1))
    scaling[index("PSL")] = 101000, 500
    return {
        "inputs": torch.from_numpy(random.normal(size=(count, 16, *FRAME)).astype("f4")),
        "boxes": torch.from_numpy(boxes),
        "labelled": torch.tensor(labelled or [1] * count, dtype=torch.uint8),
        "time": torch.arange(count) * 3 * 3600,
        "calendar": torch.zeros(count, dtype=torch.uint8),
        "synthetic": torch.ones(count, dtype=torch.uint8),
        "grid": torch.from_numpy(np.tile(GRID.array(), (count, 1))),
        "scaling": torch.from_numpy(np.tile(scaling, (count, 1, 1))),
        "keys": torch.tensor(keys),
    }


def oracle(batch, frame=FRAME, *, doubt: float = 0.0) -> dict[str, torch.Tensor]:
    """The output of a network that knows the boxes, with noise."""
    random = torch.Generator().manual_seed(int(batch["keys"][0]))
    targets = encode(batch["boxes"], frame, CELL)
    there = torch.where(targets.occupied, 6.0, -6.0)
    there = there + doubt * torch.randn(there.shape, generator=random)
    return {
        "objectness": torch.stack([there, torch.zeros_like(there)], dim=1),
        "classes": 9.0 * torch.nn.functional.one_hot(targets.classes, 4).movedim(-1, 1).float(),
        "position": targets.position,
        "size": targets.size + doubt / 10 * torch.randn(targets.size.shape, generator=random),
    }


@pytest.fixture(scope="module")
def perfect():
    one = evaluator()
    batch = batch_of(range(8))
    one.update(oracle(batch), batch)
    return one.result()


def test_a_perfect_network_has_perfect_figures(perfect):
    metrics = perfect.metrics
    for name in ("mean_ap_10", "mean_ap_30", "mean_ap_50", "mean_ap_coco", "ap_50_TC"):
        assert metrics[name] == pytest.approx(1)
    assert (metrics["pod_ETC"], metrics["far_ETC"], metrics["csi_ETC"]) == (1, 0, 1)
    assert (metrics["frames"], metrics["events_TC"], metrics["events_AR"]) == (8, 10, 2)
    assert perfect.tables["sizes"].rows[2][-1] == pytest.approx(1)
    assert "mean average precision 1.00" in perfect.summary
    assert "on 24 events in 8 frames" in perfect.summary


def test_a_part_of_a_cell_at_the_frames_ends_costs_nothing():
    """As ERA5's 721 rows: the boxes of the last rows and columns are found where they are."""
    size = FRAME[0] - 3, FRAME[1] - 2
    batch = batch_of(range(4))
    batch["inputs"] = batch["inputs"][..., : size[0], : size[1]]
    batch["grid"] = torch.from_numpy(np.tile(Grid.globe(*size).array(), (4, 1)))
    batch["boxes"][:, 0] = torch.tensor([36.0, 58, 45, 72, 1])
    one = evaluator(heuristic=None, example_maps=0)
    one.update(oracle(batch, size), batch)
    assert one.result().metrics["mean_ap_50"] == pytest.approx(1)


def test_the_criteria_find_nothing_in_noise_and_stand_beside_it(perfect):
    assert perfect.metrics["criteria_mean_ap_10"] < 0.2
    finders = {row[2] for row in perfect.tables["average_precision"].rows}
    assert finders == {"network", "criteria"}


def test_classes_with_few_events_are_warned_of(perfect):
    assert "atmospheric river: its figures rest on few events, 2" in perfect.warnings


def test_there_are_figures_of_all_kinds(perfect):
    assert sorted(perfect.figures) == ["maps", "performance", "precision_recall"]
    assert len(perfect.figures["maps"].axes) == 3  # two frames, the colours


def test_maps_have_dates_and_coastlines(perfect):
    """As those of `baryon predict`: the 365 days a year of CAM5, the coasts of all land."""
    first, second, _ = perfect.figures["maps"].axes
    told = "(noleap calendar)   SYNTHETIC frames, of no climate model"
    assert first.get_title(loc="left") == f"frame 0   1900-01-01 00:00   {told}"
    assert second.get_title(loc="left") == f"frame 3   1900-01-01 09:00   {told}"
    lines = [one for one in first.collections if isinstance(one, LineCollection)]
    assert sum(len(one.get_segments()) for one in lines) > 100


def test_the_answer_depends_neither_on_the_order_nor_on_the_ranks():
    batches = [batch_of(keys) for keys in ((0, 1, 2), (3, 4), (5,))]
    alone, first, second = evaluator(), evaluator(), evaluator()
    for batch in batches:
        alone.update(oracle(batch, doubt=3.0), batch)
    for of, batch in zip((second, first, second), reversed(batches), strict=True):
        of.update(oracle(batch, doubt=3.0), batch)
    first.merge(pickle.loads(pickle.dumps(second.state())))  # noqa: S301
    expected, found = alone.result(), first.result()
    assert found.metrics == pytest.approx(expected.metrics, nan_ok=True)
    assert 0.1 < expected.metrics["mean_ap_50"] < 0.99
    assert found.tables == expected.tables or str(found.tables) == str(expected.tables)


def test_frames_without_labels_are_left_out_and_told_of():
    one = evaluator(heuristic=None)
    batch = batch_of([0, 1, 2], [1, 0, 1])
    one.update(oracle(batch), batch)
    found = one.result()
    assert found.metrics["frames"] == 2
    assert any("labels were left out: 1 " in text for text in found.warnings)
    assert not [name for name in found.metrics if name.startswith("criteria")]


def test_an_empty_labelled_frame_makes_false_alarms():
    one = evaluator(heuristic=None, example_maps=0)
    batch = batch_of([0, 1])
    output = oracle(batch)
    batch["boxes"][1] = -1
    one.update(output, batch)
    found = one.result()
    assert found.metrics["far_ETC"] == pytest.approx(0.5)
    assert math.isnan(found.metrics["ap_50_AR"])
    assert "maps" not in found.figures


def test_windows_are_judged_by_their_labelled_step():
    batch = batch_of([0])
    steps = torch.stack([batch["inputs"] + 9, batch["inputs"] + 9, batch["inputs"]], dim=2)
    one, other = evaluator(), evaluator()
    one.update(oracle(batch), batch)
    other.update(oracle(batch), batch | {"inputs": torch.roll(steps, -1, dims=2)})
    same = [e.state()[1][0].vapour for e in (one, other)]
    np.testing.assert_array_equal(*same)


def test_frames_of_other_channels_have_neither_criteria_nor_maps():
    batch = batch_of([0, 1])
    few = batch | {"inputs": batch["inputs"][:, :4], "scaling": batch["scaling"][:, :4]}
    one = evaluator(heuristic=None)
    one.update(oracle(batch), few)
    assert "maps" not in one.result().figures
    with pytest.raises(BaryonError, match=r"have 4: give evaluator\.heuristic=null"):
        evaluator().update(oracle(batch), few)


def test_nothing_seen_is_an_error():
    with pytest.raises(BaryonError, match="has seen no frame with labels"):
        evaluator().result()
    one, batch = evaluator(heuristic=None), batch_of([7])
    one.update(oracle(batch), batch)
    one.update(oracle(batch), batch)
    with pytest.raises(BaryonError, match="row 7 came twice"):
        one.result()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"overlaps": [0.5, 1.0]}, "overlaps must be within"),
        ({"hit_km": {"TC": 1.0}}, "hit_km must name TD, TC, ETC, AR"),
        ({"confidence": 1.5}, r"confidence=1\.5 must be from 0 to 1"),
        ({"least_confidence": 0.9}, "least_confidence is above confidence"),
        ({"bootstrap": 1}, "bootstrap=1 must be at least 2"),
    ],
)
def test_options_that_cannot_be_are_refused(changes, message):
    with pytest.raises(BaryonError, match=message):
        evaluator(**changes)
