"""Files without labels are read as the training data is, by the normalisation that is told."""

from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import yaml

import baryon_climate
from baryon.errors import BaryonError
from baryon_climate.dataset.climate_netcdf import ClimateNetcdf
from baryon_climate.fields import CHANNELS

xarray = pytest.importorskip("xarray")


def _as_told(split) -> np.ndarray:
    told = split.normalisation()
    shape = (-1, *[1] * (len(split.fields["inputs"].shape) - 1))
    offset, scale = (np.array(values).reshape(shape) for values in (told.offset, told.scale))
    return (split.raw(0, len(split)) - offset) / scale


def _only_images(path: Path) -> np.ndarray:
    with h5py.File(path, "r+") as file:
        del file["boxes"]
        return file["images"][:]


@pytest.mark.parametrize("window", [1, 3])
def test_a_year_without_boxes_is_whole_frames_scaled_by_training(write_year, open_years, window):
    write_year(1979)
    path = write_year(1990, frames=5)
    stored = _only_images(path)[:window]
    dataset = open_years(train=1979, crop=[16, 16], window=window, augment=True)
    split = dataset.open_input([str(path)])
    assert len(split) == 6 - window
    read = split.read(0, len(split))
    assert read["inputs"].shape[-2:] == (24, 36)
    np.testing.assert_allclose(read["inputs"], _as_told(split), atol=1e-4)
    first = stored[0] if window == 1 else stored.swapaxes(0, 1)
    np.testing.assert_array_equal(split.raw(0, 1)[0], first)
    assert split.scaling is dataset.splits["train"].scaling
    assert not read["labelled"].any()
    assert split.normalisation().channels[6] == "TMQ [kg/m2]"


def test_years_come_in_order_and_one_of_them_once(write_year, open_years, tmp_path):
    write_year(1979)
    late, early = write_year(1991, frames=2), write_year(1990, frames=3)
    dataset = open_years(train=1979)
    split = dataset.open_input([str(late), str(early)])
    assert (np.diff(split.times) > 0).all()
    again = tmp_path / "again_1990.h5"
    again.write_bytes(early.read_bytes())
    with pytest.raises(BaryonError, match=r"again_1990\.h5 are of one year|climo_1990\.h5 are of"):
        dataset.open_input([str(early), str(again)])


def _netcdf(path: Path, seed: int, names: list[str]) -> str:
    random = np.random.default_rng(seed)
    variables = {}
    for channel in CHANNELS:
        if channel.name in names:
            low, high = channel.plausible
            values = (low + (high - low) * random.random((4, 13, 24))).astype("f4")
            variables[channel.name] = (("time", "lat", "lon"), values, {"units": channel.unit})
    units = {"units": f"hours since {1979 + seed}-01-01", "calendar": "noleap"}
    coordinates = {
        "time": ("time", np.arange(4) * 6, units),
        "lat": ("lat", np.linspace(90, -90, 13), {"units": "degrees_north"}),
        "lon": ("lon", np.arange(24) * 15.0, {"units": "degrees_east"}),
    }
    xarray.Dataset(variables, coordinates).to_netcdf(path, engine="h5netcdf")
    return str(path)


def test_netcdf_files_are_input_too_with_the_channels_of_training(tmp_path):
    shipped = Path(baryon_climate.__file__).parent / "conf/dataset/climate_netcdf.yaml"
    options = SimpleNamespace(**yaml.safe_load(shipped.read_text()))
    del options.name, options.defaults
    names = ["TMQ", "PSL"]
    options.train, options.channels = _netcdf(tmp_path / "a.nc", 0, names), names
    dataset = ClimateNetcdf(**vars(options))
    split = dataset.open_input([_netcdf(tmp_path / "b.nc", 1, [*names, "U850"])])
    with xarray.open_dataset(tmp_path / "b.nc", engine="h5netcdf", decode_times=False) as file:
        stored = file[names[0]].values
    order = split.file_order
    assert order.rows.tolist() == list(range(12, -1, -1))  # the file begins in the north
    np.testing.assert_allclose(
        split.raw(0, 4)[:, 0], stored[:, order.rows][:, :, order.columns], rtol=1e-6
    )
    assert [channel.name for channel in split.channels] == ["TMQ", "PSL"]
    np.testing.assert_allclose(split.read(0, 4)["inputs"], _as_told(split), atol=1e-4)
    with pytest.raises(BaryonError, match="PSL"):
        dataset.open_input([_netcdf(tmp_path / "c.nc", 2, ["TMQ"])])
