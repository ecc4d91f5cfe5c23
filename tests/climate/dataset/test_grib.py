"""GRIB files are read as CF files are."""

import sys
from pathlib import Path

import numpy as np
import pytest

from baryon.errors import BaryonError
from baryon_climate.dataset.cf_file import CfFile
from baryon_climate.dataset.cf_opening import open_dataset
from baryon_climate.dataset.cf_variables import find
from baryon_climate.dataset.netcdf_files import NetcdfFiles
from baryon_climate.fields import CHANNELS, index

eccodes = pytest.importorskip("eccodes", reason="needs the extra grib (eccodes)")

HEIGHT, WIDTH = 19, 36
MISSING = 9999.0


def _message(short: str, level: int | None, value: float, **keys):
    """A field that grows from north to south and from west to east, in steps of 10 degrees."""
    sample = "regular_ll_sfc_grib2" if level is None else "regular_ll_pl_grib2"
    handle = eccodes.codes_grib_new_from_samples(sample)
    settings = {
        "Ni": WIDTH, "Nj": HEIGHT,
        "latitudeOfFirstGridPointInDegrees": 90, "latitudeOfLastGridPointInDegrees": -90,
        "longitudeOfFirstGridPointInDegrees": 0, "longitudeOfLastGridPointInDegrees": 350,
        "iDirectionIncrementInDegrees": 10, "jDirectionIncrementInDegrees": 10,
        "dataDate": 20111011, "dataTime": 0, "shortName": short,
    } | ({} if level is None else {"level": level}) | keys  # fmt: skip
    for key, setting in settings.items():
        eccodes.codes_set(handle, key, setting)
    rows, columns = int(settings["Nj"]), int(settings["Ni"])
    field = value + np.arange(rows)[:, None] + np.arange(columns) / 100
    eccodes.codes_set(handle, "bitsPerValue", 24)
    eccodes.codes_set_values(handle, field.ravel())
    return handle


def _write(path: Path, handles: list) -> Path:
    with path.open("wb") as file:
        for handle in handles:
            eccodes.codes_write(handle, file)
            eccodes.codes_release(handle)
    return path


@pytest.fixture
def path(tmp_path):
    """Temperature at two levels and sea-level pressure, at two times."""
    handles = [
        _message(short, level, value + hour, dataTime=100 * hour)
        for hour in (0, 6)
        for short, level, value in (("t", 500, 250), ("t", 200, 210), ("prmsl", None, 1e5))
    ]
    return _write(tmp_path / "fields.grib2", handles)


def test_channels_are_found_by_standard_name_and_level(path):
    file = CfFile(path)
    variable = find(file, CHANNELS[index("T500")], None)
    assert variable is not None
    values = variable.read(file, slice(0, 2))
    assert values.shape == (2, HEIGHT, WIDTH)
    assert values[0, -1, 0] == pytest.approx(250, abs=1e-3)  # the north is last in a frame
    assert values[1, 0, 35] == pytest.approx(256 + 18.35, abs=1e-3)
    upper = find(file, CHANNELS[index("T200")], None)
    assert upper is not None
    assert upper.read(file, [1])[0, -1, 0] == pytest.approx(216, abs=1e-3)
    assert find(file, CHANNELS[index("V850")], None) is None
    grid = file.grid("t").grid
    assert (grid.latitude, grid.latitude_step, grid.longitude_step) == (-90, 10, 10)
    assert grid.cyclic


def test_frames_of_a_file_are_read_by_time(path):
    channels = [CHANNELS[index("T500")], CHANNELS[index("PSL")]]
    frames = NetcdfFiles([path], channels, {}, allow_gaps=False)
    assert np.diff(frames.times).tolist() == [6 * 3600]
    (frame,) = frames.read(1, 2)
    assert frame.shape == (2, HEIGHT, WIDTH)
    assert frame[1, -1, 0] == pytest.approx(1e5 + 6, abs=0.1)


def test_a_forecast_is_at_the_time_that_it_is_valid_for(tmp_path):
    path = _write(tmp_path / "forecast.grib2", [_message("t", 500, 250, forecastTime=12)])
    (seconds,) = CfFile(path).times("t").seconds
    (start,) = CfFile(_write(tmp_path / "a.grib2", [_message("t", 500, 250)])).times("t").seconds
    assert seconds - start == 12 * 3600


def test_two_winds_in_one_message_are_two_fields(tmp_path):
    path = tmp_path / "winds.grib2"
    winds = [_message("u", 850, 3), _message("v", 850, -40)]
    multi = eccodes.codes_grib_multi_new()
    for wind in winds:
        eccodes.codes_grib_multi_append(wind, 4, multi)
    with path.open("wb") as file:
        eccodes.codes_grib_multi_write(multi, file)
    eccodes.codes_grib_multi_release(multi)
    dataset, _ = open_dataset(path)
    assert float(dataset["u"].values.flat[0]) == pytest.approx(3, abs=1e-3)
    assert float(dataset["v"].values.flat[0]) == pytest.approx(-40, abs=1e-3)


def test_fields_without_a_value_are_nan(tmp_path):
    handle = _message("t", 500, 250)
    values = eccodes.codes_get_values(handle)
    values[5] = MISSING
    eccodes.codes_set(handle, "missingValue", MISSING)
    eccodes.codes_set(handle, "bitmapPresent", 1)
    eccodes.codes_set_values(handle, values)
    dataset, _ = open_dataset(_write(tmp_path / "gaps.grib2", [handle]))
    assert np.flatnonzero(np.isnan(dataset["t"].values)).tolist() == [5]


def test_the_same_on_other_levels_has_a_name_of_its_own(tmp_path):
    handles = [_message("t", None, 280), _message("t", 500, 250)]
    dataset, _ = open_dataset(_write(tmp_path / "levels.grib2", handles))
    assert sorted(dataset.data_vars) == ["t", "t_surface"]
    assert dataset["t"].dims == ("time", "isobaricInhPa", "latitude", "longitude")
    assert set(dataset["t_surface"].coords) == {"time", "latitude", "longitude"}
    assert float(dataset["t"].values.flat[0]) == pytest.approx(250, abs=1e-3)


def test_two_grids_of_a_file_are_apart(tmp_path):
    coarse = {
        "Ni": 12, "Nj": 7, "iDirectionIncrementInDegrees": 30, "jDirectionIncrementInDegrees": 30,
        "longitudeOfLastGridPointInDegrees": 330,
    }  # fmt: skip
    handles = [_message("t", 500, 250), _message("gh", 500, 5500, **coarse)]
    path = _write(tmp_path / "grids.grib2", handles)
    file = CfFile(path)
    assert (file.grid("t").grid.width, file.grid("gh").grid.width) == (36, 12)


def test_members_of_an_ensemble_are_left_out_and_named(tmp_path, caplog):
    keys = {"productDefinitionTemplateNumber": 1, "numberOfForecastsInEnsemble": 2}
    handles = [_message("prmsl", None, 1e5)]
    for number in (0, 1):
        handle = _message("t", 500, 250)
        for key, value in (keys | {"perturbationNumber": number}).items():
            eccodes.codes_set(handle, key, value)
        handles.append(handle)
    dataset, _ = open_dataset(_write(tmp_path / "members.grib2", handles))
    assert list(dataset.data_vars) == ["prmsl"]
    assert "t are of several members of an ensemble: left out" in " ".join(caplog.text.split())


def test_other_grids_and_what_is_no_grib_are_refused_in_one_line(tmp_path):
    handle = eccodes.codes_grib_new_from_samples("reduced_gg_pl_32_grib2")
    path = _write(tmp_path / "reduced.grib2", [handle])
    with pytest.raises(BaryonError, match=r"no field on a regular grid .*\(grids: reduced_gg\)"):
        open_dataset(path)
    path.write_bytes(b"GRIB\0\0\0\1" + bytes(99))
    with pytest.raises(BaryonError, match=r"cannot be read as GRIB after 0 fields .*complete"):
        open_dataset(path)


def test_a_file_that_is_cut_off_is_refused(path):
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BaryonError, match=r"cannot be read as GRIB after 5 fields .*complete"):
        open_dataset(path)


def test_without_the_library_it_is_said_what_to_install(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "eccodes", None)
    with pytest.raises(BaryonError, match=r"GRIB file, which needs eccodes: .*baryon\[grib\]"):
        open_dataset(path)
