"""From a model's output to files."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from baryon.errors import BaryonError
from baryon_climate.fields import CHANNELS, index
from baryon_climate.grid import Grid
from baryon_climate.prediction.climate_boxes import ClimateBoxesPredictor
from baryon_climate.storms import FileOrder

SIZE, CELL = (64, 96), 16
OPTIONS = {
    "confidence": 0.8,
    "suppression": 0.3,
    "most": 100,
    "formats": ["csv"],
    "tracks": None,
    "map_every": 0,
    "animation": 0,
    "frames_a_second": 4.0,
}


class Split(SimpleNamespace):
    """As much of a split as the predictor asks for."""

    calendar = "noleap"
    file_order = FileOrder.same(*SIZE)
    grid = Grid.globe(*SIZE)
    synthetic = False
    channels = CHANNELS

    def __len__(self):
        return 20

    def place(self, row):
        return f"climo_1979.h5, row {row}"


def _output(frames: int) -> dict[str, torch.Tensor]:
    """One cyclone in cell (2, 3), 2 cells wide and 1 high, more certain than 0.8."""
    height, width = SIZE[0] // CELL, SIZE[1] // CELL
    objectness = torch.zeros(frames, 2, height, width)
    objectness[:, 1] = 9.0
    objectness[:, :, 2, 3] = torch.tensor([9.0, 0.0])
    classes = torch.zeros(frames, 4, height, width)
    classes[:, 1, 2, 3] = 9.0
    size = torch.zeros(frames, 2, height, width)
    size[:, 0] = 1.0
    return {
        "objectness": objectness,
        "classes": classes,
        "position": torch.full((frames, 2, height, width), 0.5),
        "size": size,
    }


def _batch(first: int, frames: int, window: int | None = None) -> dict[str, torch.Tensor]:
    steps = () if window is None else (window,)
    rows = torch.arange(first, first + frames)
    return {
        "inputs": torch.zeros(frames, len(CHANNELS), *steps, *SIZE),
        "keys": rows,
        "time": 3 * 3600 * rows,
        "grid": torch.from_numpy(Grid.globe(*SIZE).array()).expand(frames, -1),
        "scaling": torch.ones(frames, len(CHANNELS), 2),
    }


def test_boxes_lie_where_the_cells_say(tmp_path):
    predictor = ClimateBoxesPredictor(**OPTIONS, split=Split())
    parts = [predictor.predict(_output(2), _batch(first, 2)) for first in (0, 2)]
    said = predictor.write(iter(parts), tmp_path)
    assert said == "4 boxes of score 0.8 or more in 4 frames: 0 TD, 4 TC, 0 ETC, 0 AR"
    with (tmp_path / "boxes.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["hour"] for row in rows] == ["0", "3", "6", "9"]
    first = rows[0]
    # The centre of cell (2, 3) is pixel (40, 56); the box is 32 wide and 16 high.
    assert (first["j"], first["i"]) == ("40", "56")
    assert float(first["lon_west"]) == pytest.approx((56 - 16) * 360 / 96)
    assert float(first["lat_north"]) == pytest.approx(-90 + 48 * 180 / 63, abs=1e-3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["boxes.csv"]


def test_rows_and_columns_are_those_of_the_file(tmp_path):
    """As TempestExtremes counts: of a file that begins in the north and at 180 degrees east."""
    rows, columns = np.arange(SIZE[0])[::-1], np.roll(np.arange(SIZE[1]), SIZE[1] // 2)
    split = Split(file_order=FileOrder(rows, columns))
    predictor = ClimateBoxesPredictor(**OPTIONS | {"formats": ["csv", "nodes"]}, split=split)
    predictor.write(iter([predictor.predict(_output(1), _batch(0, 1))]), tmp_path)
    with (tmp_path / "boxes.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    # The centre is row 40 from the south of 64 and column 56 from Greenwich of 96.
    assert (row["j"], row["i"]) == ("23", "8")
    assert float(row["lat"]) == pytest.approx(-90 + 40 * 180 / 63, abs=1e-3)
    _, node = (tmp_path / "nodes" / "TC.txt").read_text().splitlines()
    assert node.split()[:2] == ["8", "23"]


LIMITS = {"distance_km": 200.0, "speed": 25.0, "gap_hours": 24.0, "least_hours": 6.0}


def test_boxes_of_frames_are_linked_to_tracks_with_their_intensity(tmp_path):
    options = OPTIONS | {"formats": ["csv", "nodes", "geojson", "netcdf"], "tracks": LIMITS}
    predictor = ClimateBoxesPredictor(**options, split=Split())
    batch = _batch(0, 4)
    batch["scaling"][:, index("PSL")] = torch.tensor([1.0e5, 1e3])
    batch["inputs"][:, index("PSL"), 42, 60] = -2.0  # in the box
    batch["inputs"][:, index("PSL"), 2, 60] = -9.0
    said = predictor.write(iter([predictor.predict(_output(4), batch)]), tmp_path)
    assert said.endswith("0 TD, 4 TC, 0 ETC, 0 AR; 1 tracks: 0 TD, 1 TC, 0 ETC, 0 AR")
    with (tmp_path / "tracks.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["time"][11:13] for row in rows] == ["00", "03", "06", "09"]
    assert {row["track_id"] for row in rows} == {"0"}
    assert {row["pressure_hpa"] for row in rows} == {"980.00"}
    assert {float(row["wind_ms"]) for row in rows} == {round(2**0.5, 2)}
    names = {path.name for path in tmp_path.iterdir()}
    assert {"tracks.csv", "tracks.txt", "tracks.geojson", "tracks.nc"} <= names
    assert "tracks.png" not in names  # no maps were asked for


def test_frames_too_far_apart_for_tracks_are_told(tmp_path, caplog):
    limits = LIMITS | {"gap_hours": 2.0}
    predictor = ClimateBoxesPredictor(**OPTIONS | {"tracks": limits}, split=Split())
    predictor.write(iter([predictor.predict(_output(3), _batch(0, 3))]), tmp_path)
    told = " ".join(caplog.text.split())
    assert "frames are 3 h apart, more than predict.tracks.gap_hours=2: no box is linked" in told


def test_maps_are_made_of_every_nth_frame_and_joined(tmp_path):
    options = OPTIONS | {"formats": [], "map_every": 2, "animation": 10}
    predictor = ClimateBoxesPredictor(**options, split=Split())
    batch = _batch(3, 4, window=3)
    batch["inputs"][:, index("TMQ"), 1] = torch.linspace(0, 60, SIZE[0])[:, None]
    predictor.write(iter([predictor.predict(_output(4), batch)]), tmp_path)
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == [
        "04_1900-01-01T1200.png",
        "06_1900-01-01T1800.png",
    ]
    assert (tmp_path / "animation.gif").read_bytes().startswith(b"GIF89a")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_a_frame_with_gaps_is_named(value):
    predictor = ClimateBoxesPredictor(**OPTIONS, split=Split())
    batch = _batch(5, 2)
    batch["inputs"][1, index("PSL"), 3, 4] = value
    with pytest.raises(BaryonError, match=r"^climo_1979\.h5, row 6: PSL holds NaN, Inf or fill"):
        predictor.predict(_output(2), batch)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"confidence": 1.5}, "confidence=1.5 must be from 0 to 1"),
        ({"formats": []}, "there is nothing to write"),
        ({"tracks": LIMITS | {"speed": 0}}, "tracks.speed=0 must be above 0"),
        ({"map_every": -1}, "map_every=-1 must be 0 or more"),
        ({"split": Split(channels=CHANNELS[:3]), "map_every": 1}, "a map shows TMQ, which is not"),
    ],
)
def test_options_that_cannot_be_are_refused(changes, says):
    with pytest.raises(BaryonError, match=says):
        ClimateBoxesPredictor(**{**OPTIONS, "split": Split(), **changes})


def test_a_missing_library_is_said_with_what_to_install(monkeypatch):
    monkeypatch.setattr("baryon_climate.prediction.climate_boxes.LIBRARIES", ("no_such_library",))
    with pytest.raises(BaryonError, match=r"no_such_library is not installed: .*baryon\[climate\]"):
        ClimateBoxesPredictor(**OPTIONS, split=Split())


def test_output_of_other_frames_is_refused():
    predictor = ClimateBoxesPredictor(**OPTIONS, split=Split())
    output = {name: value[..., :3, :] for name, value in _output(1).items()}
    with pytest.raises(BaryonError, match="frames of 64 x 96 pixels are not divided into 3 x 6"):
        predictor.predict(output, _batch(0, 1))


def test_boxes_of_frames_with_a_part_of_a_cell_lie_on_the_frames_own_grid(tmp_path):
    """As ERA5's 721 rows and 1440 columns: the last cells reach beyond the frame."""
    predictor = ClimateBoxesPredictor(**OPTIONS, split=Split())
    batch, size = _batch(0, 1), (SIZE[0] - 3, SIZE[1] - 6)
    batch["inputs"] = batch["inputs"][..., : size[0], : size[1]]
    grid = Grid.globe(*size)
    batch["grid"] = torch.from_numpy(grid.array())[None]
    predictor.write(iter([predictor.predict(_output(1), batch)]), tmp_path)
    with (tmp_path / "boxes.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert (row["j"], row["i"]) == ("40", "56")
    for side, pixel in {"lat_south": 32, "lat_north": 48}.items():
        assert float(row[side]) == pytest.approx(float(grid.latitudes(pixel)), abs=1e-4)
    for side, pixel in {"lon_west": 40, "lon_east": 72}.items():
        assert float(row[side]) == pytest.approx(float(grid.longitudes(pixel)), abs=1e-4)
