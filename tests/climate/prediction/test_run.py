"""From a trained run and files without labels to boxes on the globe, and out of Baryon."""

import csv
import json
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import xarray

from baryon.cli import execute
from baryon.errors import BaryonError
from baryon.export.formats import load_safetensors
from baryon_climate.boxes.coding import detect
from baryon_climate.fields import CHANNELS
from baryon_climate.grid import Grid

HEIGHT, WIDTH, CELL = 33, 48, 8  # no whole number of cells, as ERA5's 721 rows
GRID = Grid.globe(HEIGHT, WIDTH)
SURE = 0.15


def _frames(seed: int, count: int) -> np.ndarray:
    low, high = np.array([channel.plausible for channel in CHANNELS]).T[..., None, None]
    shares = np.random.default_rng(seed).random((count, len(CHANNELS), HEIGHT, WIDTH))
    return (low + (high - low) * shares).astype("f4")


def _write(path: Path, images: np.ndarray, boxes: np.ndarray | None = None) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs.update({"hours_between_frames": 6, "frames": len(images)})
        file.create_dataset("images", data=images, chunks=(1, *images.shape[1:]))
        if boxes is not None:
            file.create_dataset("boxes", data=boxes)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Years 1979 and 1980 with labels, 1981 without."""
    folder = tmp_path_factory.mktemp("years")
    boxes = np.full((6, 15, 5), -1, "i4")
    boxes[:, 0] = 4, 8, 12, 20, 1
    boxes[:, 1] = 14, 30, 22, 40, 3
    for year in (1979, 1980):
        _write(folder / f"climo_{year}.h5", _frames(year, 6), boxes)
    _write(folder / "new_1981.h5", _frames(1981, 5))
    return folder


@pytest.fixture(scope="module")
def run(folder, cache) -> Path:
    """A run of two steps, on crops that are smaller than the frames."""
    arguments = [
        "dataset=climate_extreme_weather",
        f"dataset.folder={folder}", "dataset.train=1979", "dataset.test=1980",
        "dataset.box_order=ymin_xmin_ymax_xmax", "dataset.crop=[32,32]",
        "model=climate_15pf", "model.filters=[8,8,16,16,16]",
        "model.kernel=3", f"model.cell={CELL}", "train.steps=2", "train.batch_size=2",
        "evaluator.bootstrap=2", "evaluator.example_maps=0", "evaluator.heuristic=null",
        f"run.root={folder}", "run.name=run",
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        with warnings.catch_warnings(action="ignore"):  # of an evaluator that finds nothing
            execute(["train", *arguments])
    return folder / "run"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch, cache):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return tmp_path


@pytest.mark.slow
def test_predict_finds_what_the_exported_model_finds_in_the_stored_fields(here, run, folder):
    whole = "dataset.crop=null"
    execute(["export", f"run={run}", "format=safetensors", "out=model.safetensors", whole])
    model = load_safetensors(here / "model.safetensors")
    images = _frames(1981, 5)
    with torch.inference_mode():
        output = model(torch.from_numpy(images))
    found = detect(
        output, frame=(HEIGHT, WIDTH), cell=CELL, cyclic=True, confidence=SURE, overlap=0.3, most=9
    )
    expected = [box for one in found for box in one.boxes.tolist()]
    assert len(expected) > 5

    options = [f"predict.confidence={SURE}", "predict.most=9", "predict.map_every=3"]
    execute(["predict", f"run={run}", f"input={folder}/new_1981.h5", "out=storms", *options])
    with (here / "storms" / "boxes.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(expected)
    for row, (ymin, xmin, _, _) in zip(rows, expected, strict=True):
        south, west = GRID.latitudes(np.array(ymin)), GRID.longitudes(np.array(xmin))
        assert float(row["lat_south"]) == pytest.approx(float(south), abs=1e-2)
        turned = (float(row["lon_west"]) - float(west) + 180) % 360 - 180
        assert turned == pytest.approx(0, abs=1e-2)
    assert {row["time"][:10] for row in rows} <= {"1981-01-01", "1981-01-02"}
    files = {path.name for path in (here / "storms").iterdir()}
    assert files - {"tracks.png"} == {"nodes", "maps", "animation.gif", "prediction.json"} | {
        f"{name}.{suffix}" for name in ("boxes", "tracks") for suffix in ("csv", "geojson", "nc")
    } | {"tracks.txt"}
    assert sorted(path.name for path in (here / "storms" / "maps").iterdir()) == [
        "0_1981-01-01T0000.png",
        "3_1981-01-01T1800.png",
    ]
    features = json.loads((here / "storms" / "boxes.geojson").read_text())["features"]
    with xarray.open_dataset(here / "storms" / "boxes.nc", engine="h5netcdf") as file:
        assert len(features) == file.sizes["box"] == len(rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "says"),
    [("climo.h5", "its name ends in no year, as in climo_1979.h5: rename it"), ("new_1982.h5", "")],
)
def test_a_file_without_a_year_or_with_gaps_is_named(here, run, name, says):
    images = _frames(3, 2)
    images[1, 2, 5, 5] = np.nan
    path = _write(here / name, images)
    says = says or r"row 1: PSL holds NaN, Inf or fill values: fill the gaps, or leave out the file"
    with pytest.raises(BaryonError, match=f"{path}[:,] {says}"):
        execute(["predict", f"run={run}", f"input={path}", "out=storms"])
    assert not (here / "storms").exists()
