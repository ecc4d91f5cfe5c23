"""The evaluator of tracks: from a model's output to figures, on any number of ranks."""

import numpy as np
import pytest
import torch

from baryon.config.option_values import option_values
from baryon.errors import BaryonError
from baryon.plugins.registry import discover
from baryon_climate.dataset.calendar import CALENDARS
from baryon_climate.evaluator.climate_tracks import ClimateTracks
from baryon_climate.fields import NAMES, index
from baryon_climate.grid import Grid

SIZE, CELL = (64, 96), 8
GRID = Grid.globe(*SIZE)
FRAMES = 6
START = 96 * 365 * 86400 + 23 * 86400  # 1996-01-01
HOUR = 3600


@pytest.fixture(scope="module")
def shipped():
    values = option_values("", "evaluator", "climate_tracks", discover())
    del values["name"]
    return values | {"bootstrap": 20}


def _output(column: int) -> dict[str, torch.Tensor]:
    """A cyclone in a cell of row 5, surer than 0.8."""
    height, width = SIZE[0] // CELL, SIZE[1] // CELL
    objectness = torch.zeros(1, 2, height, width)
    objectness[:, 1] = 9.0
    objectness[:, :, 5, column % width] = torch.tensor([9.0, 0.0])
    classes = torch.zeros(1, 4, height, width)
    classes[:, 1, 5, column % width] = 9.0
    return {
        "objectness": objectness,
        "classes": classes,
        "position": torch.full((1, 2, height, width), 0.5),
        "size": torch.zeros(1, 2, height, width),
    }


def _batch(row: int) -> dict[str, torch.Tensor]:
    """A frame with a known box where the output of `_output(row)` finds one, and one elsewhere."""
    boxes = torch.full((1, 3, 5), -1.0)
    left = float((row * CELL) % SIZE[1])
    boxes[0, 0] = torch.tensor([40.0, left, 48.0, left + 8, 1.0])
    boxes[0, 1] = torch.tensor([10.0, 50.0, 18.0, 58.0, 1.0])
    scaling = torch.ones(1, len(NAMES), 2)
    scaling[:, index("PSL")] = torch.tensor([1e5, 1e3])
    return {
        "inputs": torch.zeros(1, len(NAMES), *SIZE),
        "keys": torch.tensor([row]),
        "labelled": torch.tensor([1], dtype=torch.uint8),
        "boxes": boxes,
        "time": torch.tensor([START + 6 * HOUR * row]),
        "calendar": torch.tensor([CALENDARS.index("proleptic_gregorian")], dtype=torch.uint8),
        "grid": torch.from_numpy(GRID.array())[None],
        "scaling": scaling,
    }


def _fill(evaluator: ClimateTracks, rows) -> ClimateTracks:
    for row in rows:
        evaluator.update(_output(row), _batch(row))
    return evaluator


@pytest.fixture
def slow_enough(shipped):
    """A cell is 30 degrees: a storm that goes so far in 6 h needs a wide limit."""
    return shipped | {"tracks": shipped["tracks"] | {"speed": 200.0}}


def test_without_best_tracks_the_known_boxes_are_linked(slow_enough):
    result = _fill(ClimateTracks(**slow_enough), range(FRAMES)).result()
    assert (result.metrics["storms"], result.metrics["detected"]) == (2, 1)
    assert (result.metrics["tracks"], result.metrics["false_alarms"]) == (1, 0)
    assert result.metrics["csi"] == 0.5
    assert result.metrics["error_position_km"] == pytest.approx(0, abs=1)
    assert result.metrics["error_pressure_hpa"] == 0
    assert result.judged_by == ("csi",)
    assert set(result.figures) == {"tracks"}
    assert set(result.tables) == {"basins", "intensity", "errors"}


def test_the_result_does_not_depend_on_ranks_or_order(slow_enough):
    one = _fill(ClimateTracks(**slow_enough), range(FRAMES)).result()
    first = _fill(ClimateTracks(**slow_enough), [4, 0, 2])
    first.merge(_fill(ClimateTracks(**slow_enough), [5, 1, 3]).state())
    assert first.result().metrics == pytest.approx(one.metrics, nan_ok=True)


def test_best_tracks_are_compared_in_the_time_of_the_frames(slow_enough, tmp_path):
    path = tmp_path / "best.csv"
    north = GRID.latitudes(44)
    lines = [
        f"A,{day}T{hour:02},{north:.3f},{(8 * n + 4) * 3.75:.3f},50,980"
        for n, (day, hour) in enumerate(
            [("1996-01-01", 0), ("1996-01-01", 6), ("1996-01-01", 12), ("1996-01-01", 18)]
        )
    ]
    path.write_text(
        "track_id,time,lat,lon,wind,slp\n" + "\n".join(lines) + "\nB,1999-01-01,5,5,90,900\n"
    )
    options = slow_enough | {"best_tracks": str(path), "least_knots": 34.0}
    result = _fill(ClimateTracks(**options), range(FRAMES)).result()
    assert (result.metrics["storms"], result.metrics["pod"]) == (1, 1)
    assert result.metrics["error_pressure_hpa"] == pytest.approx(1000 + 10 - 10 - 980, abs=0.5)
    assert result.metrics["error_duration_h"] == 30 - 18
    with pytest.raises(BaryonError, match="none of 1 best tracks has 64 knots"):
        _fill(ClimateTracks(**options | {"least_knots": 64.0}), range(FRAMES)).result()
    path.write_text("track_id,time,lat,lon,wind\nB,1999-01-01,5,5,90\n")
    with pytest.raises(BaryonError, match=r"no best track of .* is in the time of the frames"):
        _fill(ClimateTracks(**options), range(FRAMES)).result()


def test_frames_that_cannot_be_scored_are_one_line(shipped):
    with pytest.raises(BaryonError, match="has seen no frame"):
        ClimateTracks(**shipped).result()
    with pytest.raises(BaryonError, match="frame of row 1 came twice"):
        _fill(ClimateTracks(**shipped), [1, 1]).result()
    with pytest.raises(BaryonError, match="the known boxes make no track: frames may be too far"):
        _fill(ClimateTracks(**shipped), [0]).result()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"confidence": 2}, "confidence=2 must be from 0 to 1"),
        ({"classes": ["TX"]}, "classes must be some of TD, TC, ETC, AR"),
        ({"within_km": 0}, "within_km=0 must be above 0"),
        ({"best_tracks": "none.csv"}, "none.csv cannot be read"),
        ({"tracks": {"speed": 3}}, "evaluator climate_tracks: tracks has speed; it needs"),
    ],
)
def test_options_that_cannot_be_are_refused(shipped, changes, says):
    with pytest.raises(BaryonError, match=says):
        ClimateTracks(**shipped | changes)


def test_a_network_that_finds_nothing_has_a_pod_of_0(shipped):
    evaluator = ClimateTracks(**shipped)
    for row in range(FRAMES):
        output = _output(row)
        output["objectness"][:, 0] = -9.0
        evaluator.update(output, _batch(row))
    metrics = evaluator.result().metrics
    assert (metrics["pod"], metrics["csi"], metrics["tracks"]) == (0, 0, 0)
    assert np.isnan(metrics["far"])
