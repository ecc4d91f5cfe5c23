"""GRIB files are read as CF files are."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from baryon.errors import BaryonError
from baryon_climate.dataset import grib_process
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


def _section(message: bytes, wanted: int) -> int:
    """Return the offset of a section of a message of GRIB 2."""
    offset = 16
    while message[offset + 4] != wanted:
        offset += int.from_bytes(message[offset : offset + 4])
    return offset


def _put(message: bytearray, offset: int, *numbers: int) -> None:
    for place, number in enumerate(numbers):
        message[offset + 4 * place : offset + 4 * place + 4] = number.to_bytes(4)


@pytest.fixture
def message(path) -> bytearray:
    """The first field of a file."""
    whole = path.read_bytes()
    return bytearray(whole[: int.from_bytes(whole[8:16])])


@pytest.mark.parametrize(
    ("rows", "columns", "said"),
    [
        (2**15, 2**15, r"32,768 x 32,768 points; a field may have 33,554,432"),
        (1, 2**24, r"1 x 16,777,216 points; a field may have 33,554,432, and 65,536 a side"),
        (200, 400, r"684 values for 200 x 400 points"),
    ],
)
def test_a_grid_that_is_declared_huge_or_wrong_is_refused(path, message, rows, columns, said):
    # such a field without bits is a hundred bytes, whatever it declares
    grid, packing = _section(message, 3), _section(message, 5)
    if "values for" not in said:
        _put(message, grid + 6, rows * columns)
        _put(message, packing + 5, rows * columns)
    _put(message, grid + 30, columns, rows)
    path.write_bytes(message)
    with pytest.raises(BaryonError, match=f"after 0 fields .*{said}"):
        open_dataset(path)


@pytest.mark.parametrize("section", [None, 1, 3, 4, 5, 6, 7])
def test_a_length_that_leads_out_of_the_message_costs_one_line(path, message, section):
    offset = 12 if section is None else _section(message, section)
    _put(message, offset, 0x08000064)  # ecCodes 2.50 crashes at some of these
    path.write_bytes(message)
    with pytest.raises(BaryonError, match=r"cannot be read as GRIB|does not survive it") as raised:
        open_dataset(path)
    assert "\n" not in str(raised.value)


def test_a_bitmap_that_is_shorter_than_the_grid_is_refused(tmp_path):
    handle = _message("t", 500, 250)
    eccodes.codes_set(handle, "bitmapPresent", 1)
    path = _write(tmp_path / "gaps.grib2", [handle])
    message = bytearray(path.read_bytes())
    grid = _section(message, 3)
    _put(message, grid + 6, 4096 * 4096)
    _put(message, grid + 30, 4096, 4096)
    path.write_bytes(message)
    with pytest.raises(BaryonError, match=r"gaps.grib2: a field cannot be decoded .*too small"):
        open_dataset(path)[0]["t"].load()


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "by SIGSEGV"),
        ("os._exit(3)", "with exit code 3"),
        ("time.sleep(100)", "not done after 0.2 s"),
    ],
)
def test_what_ends_the_process_is_one_line_and_the_next_file_is_read(path, monkeypatch, code, how):
    monkeypatch.setattr(grib_process, "_process", None)
    with monkeypatch.context() as patch:
        program = f"import os, signal, sys, time\nfor line in sys.stdin:\n    {code}"
        patch.setattr(grib_process, "PROGRAM", program)
        if code.startswith("time"):
            patch.setattr(grib_process, "MOST_SECONDS", 0.2)
        with pytest.raises(BaryonError, match=f"ecCodes does not survive it .*{how}"):
            open_dataset(path)
    if "SIGSEGV" in how:
        assert set(open_dataset(path)[0].data_vars) == {"t", "prmsl"}


def test_the_process_that_reads_grib_imports_nothing_heavy():
    code = (
        "import sys, baryon_climate.dataset.grib_codes; "
        "print([m for m in ('torch', 'mpi4py', 'xarray', 'h5py', 'hydra') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
