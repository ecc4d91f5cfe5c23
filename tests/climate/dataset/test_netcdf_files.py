"""Files as people have them: each is read, to the last value, or one line says what it is."""

import gzip
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import baryon_climate
from baryon.errors import BaryonError
from baryon_climate.dataset.climate_netcdf import ClimateNetcdf

xarray = pytest.importorskip("xarray")

HEIGHT, WIDTH, STEPS = 6, 12, 4
NAMES = ["TMQ", "PSL"]
UNITS = {"TMQ": "kg/m2", "PSL": "Pa", "U850": "m/s", "TREFHT": "K", "PRECT": "m/s", "Z200": "m"}
RANGES = {"TMQ": (0, 60), "PSL": (96e3, 104e3), "U850": (-40, 40), "TREFHT": (220, 310),
          "PRECT": (0, 1e-6), "Z200": (10e3, 13e3)}  # fmt: skip
START = 101 * 365 * 86400  # 2001-01-01 in the calendar noleap, seconds since 1900
AXES = ("time", "lat", "lon")


def fields(name: str) -> np.ndarray:
    low, high = RANGES[name]
    random = np.random.default_rng(list(RANGES).index(name))
    return random.uniform(low, high, (STEPS, HEIGHT, WIDTH)).astype("f4")


def world(*names: str, hours: float = 6, first: float = 0) -> Any:
    """The true frames: south first, from 0 degrees east on, in the channels' units."""
    time = np.arange(STEPS) * hours + first
    since = {"units": "hours since 2001-01-01", "calendar": "noleap", "standard_name": "time"}
    return xarray.Dataset(
        {name: (AXES, fields(name), {"units": UNITS[name]}) for name in names or NAMES},
        {
            "time": ("time", time, since),
            "lat": ("lat", np.linspace(-75, 75, HEIGHT), {"units": "degrees_north"}),
            "lon": ("lon", np.arange(WIDTH) * 30.0, {"units": "degrees_east"}),
        },
    )


def save(data: Any, path: Path, **options: Any) -> Path:
    data.to_netcdf(path, engine=options.pop("engine", "h5netcdf"), **options)
    return path


def open_files(files: Any, **changes: Any) -> ClimateNetcdf:
    shipped = Path(baryon_climate.__file__).parent / "conf/dataset/climate_netcdf.yaml"
    options = yaml.safe_load(shipped.read_text())
    del options["name"], options["defaults"]
    files = [str(path) for path in (files if isinstance(files, list) else [files])]
    return ClimateNetcdf(**options | {"train": files, "channels": NAMES} | changes)


def frames(files: Any, **changes: Any) -> np.ndarray:
    split = open_files(files, **changes).splits["train"]
    return split.raw(0, len(split))


def truth(*names: str) -> np.ndarray:
    return np.stack([fields(name) for name in names or NAMES], axis=1)


def refusal(files: Any, **changes: Any) -> str:
    with pytest.raises(BaryonError) as error:
        open_files(files, **changes)
    line = str(error.value)
    assert "\n" not in line
    assert "fetch" not in line or "empty" in line
    return line


# One world, stored in many ways


def _cyclic(data: Any) -> Any:
    last = data.isel(lon=[0])
    last["lon"] = last.lon + 360
    return xarray.concat([data, last], "lon", data_vars="minimal", join="outer")


def _from_180_west(data: Any) -> Any:
    data["lon"] = data.lon.copy(data=(data.lon.values + 180) % 360 - 180)
    return data.sortby("lon")


def _off_by_rounding(data: Any) -> Any:
    data["lon"] = data.lon.copy(data=data.lon.values + 3e-14 * (-1) ** np.arange(WIDTH))
    return data.isel(lon=slice(None, None, -1))


def _in_their_units(data: Any) -> Any:
    data["PSL"] = (data.PSL / 100).assign_attrs(units="mb")
    data["TMQ"] = (data.TMQ / 10).assign_attrs(units="cm")
    return data


def _one_file(change: Callable[[Any], Any], **options: Any) -> Callable[[Path], list[Path]]:
    return lambda folder: [save(change(world()), folder / "world.nc", **options)]


def _packed(folder: Path) -> list[Path]:
    packing = {"TMQ": (1e-3, 30.0), "PSL": (0.2, 1e5)}
    encoding = {
        name: {"dtype": "i2", "scale_factor": scale, "add_offset": offset, "_FillValue": -32767}
        for name, (scale, offset) in packing.items()
    }
    return [save(world(), folder / "packed.nc", encoding=encoding)]


def _zarr(version: int, group: str | None = None) -> Callable[[Path], list[Path]]:
    def write(folder: Path) -> list[Path]:
        store = folder / "world.zarr"
        world().to_zarr(store, group=group, zarr_format=version, consolidated=False)
        return [store]

    return write


def _one_variable_a_file(folder: Path) -> list[Path]:
    return [save(world(name), folder / f"{name}.nc") for name in NAMES]


def _unequal_pieces(folder: Path) -> list[Path]:
    """TMQ in one file, PSL in two, the later one first by name."""
    late, early = world("PSL").isel(time=slice(1, None)), world("PSL").isel(time=[0])
    return [
        save(world("TMQ"), folder / "all.nc"),
        save(late, folder / "a.nc"),
        save(early, folder / "b.nc"),
    ]


def _alternate_times(folder: Path) -> list[Path]:
    return [save(world().isel(time=slice(n, None, 2)), folder / f"{n}.nc") for n in (1, 0)]


STORED: dict[str, Callable[[Path], list[Path]]] = {
    "netcdf-4": _one_file(lambda data: data),
    "classic": _one_file(lambda data: data, engine="scipy", format="NETCDF3_64BIT"),
    "cdf-5": _one_file(lambda data: data, engine="netcdf4", format="NETCDF3_64BIT_DATA"),
    "zarr-2": _zarr(2),
    "zarr-3": _zarr(3),
    "zarr-in-a-group": _zarr(2, "atm"),
    "netcdf-4-in-a-group": _one_file(lambda data: data, group="atm"),
    "packed": _packed,
    "one-variable-a-file": _one_variable_a_file,
    "unequal-pieces": _unequal_pieces,
    "alternate-times": _alternate_times,
    "north-first": _one_file(lambda data: data.isel(lat=slice(None, None, -1))),
    "from-180-west": _one_file(_from_180_west),
    "rolled": _one_file(lambda data: data.roll(lon=5, roll_coords=True)),
    "cyclic-column": _one_file(_cyclic),
    "westward-off-by-rounding": _one_file(_off_by_rounding),
    "transposed": _one_file(lambda data: data.transpose("lon", "lat", "time")),
    "unsorted": _one_file(lambda data: data.isel(time=[2, 0, 3, 1])),
    "their-units": _one_file(_in_their_units),
}


@pytest.fixture
def boxes(tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text(
        "time,class,lat_min,lon_min,lat_max,lon_max\n"
        "2001-01-01T06:00,TC,-15,300,15,30\n"
        "2001-01-01T18:00,ETC,-45,150,-15,210\n"
    )
    return str(path)


@pytest.mark.parametrize("way", STORED)
def test_one_world_gives_the_same_frames_and_boxes_however_it_is_stored(tmp_path, boxes, way):
    split = open_files(STORED[way](tmp_path), boxes=boxes).splits["train"]
    near = {"packed": [1e-3, 0.2], "their-units": [1e-5, 0.02]}.get(way, [0, 0])
    apart = np.abs(split.raw(0, STEPS) - truth()).max(axis=(0, 2, 3))
    assert (apart <= near).all(), apart
    read = split.read(0, STEPS)
    np.testing.assert_array_equal(read["time"], START + np.arange(STEPS) * 6 * 3600)
    np.testing.assert_allclose(read["grid"][0], [-75, 30, 0, 30, 1], atol=1e-9)
    assert read["boxes"][1][0].tolist() == [2, 10, 3, 13, 1]
    assert read["boxes"][3][0].tolist() == [1, 5, 2, 7, 2]
    if way in ("netcdf-4", "north-first", "from-180-west", "rolled", "cyclic-column"):
        order = split.source.file_order
        with xarray.open_dataset(tmp_path / "world.nc", engine="h5netcdf") as file:
            stored = file.PSL.values[:, order.rows][:, :, order.columns]
        np.testing.assert_array_equal(stored, split.raw(0, STEPS)[:, 1])
    again = pickle.loads(pickle.dumps(split))  # noqa: S301
    np.testing.assert_array_equal(again.raw(1, 3), split.raw(1, 3))


# What else is read


def _extra_axis(name: str, values: Any, channel: str = "TMQ", **attributes: Any) -> Any:
    data = world()
    data[channel] = data[channel].expand_dims({name: values}, axis=1)
    data[name].attrs = attributes
    return data


READ: dict[str, Callable[[], Any]] = {
    "surface": lambda: _extra_axis("surface", [0.0]),
    "height of 2 m": lambda: _extra_axis("height", [2.0], units="m", axis="Z", positive="up"),
    "one member": lambda: world().expand_dims(number=[0], axis=1),
    "one expver": lambda: world().expand_dims(expver=["0001"], axis=1),
    "Time with axis T": lambda: _renamed_time("Time", axis="T"),
    "valid_time": lambda: _renamed_time("valid_time", standard_name="time"),
    "any name": lambda: _renamed_time("record"),
    "reference and valid time": lambda: _renamed_time("valid_time").assign_coords(
        time=xarray.DataArray(
            0.0,
            attrs={"units": "hours since 2001-01-01", "standard_name": "forecast_reference_time"},
        )
    ),
    "steps of a forecast": lambda: _forecast(),
}


def _renamed_time(name: str, **attributes: Any) -> Any:
    data = world().rename(time=name)
    del data[name].attrs["standard_name"]
    data[name].attrs.update(attributes)
    return data


def _forecast() -> Any:
    """As cfgrib writes it: the axis is the lead time, and the valid time lies along it."""
    data = world().rename(time="step")
    valid = data.step.rename("valid_time").variable
    data["step"] = ("step", np.arange(STEPS) * 6.0, {"units": "hours"})
    reference = {"units": "hours since 2001-01-01", "standard_name": "forecast_reference_time"}
    return data.assign_coords(valid_time=valid, time=xarray.DataArray(0.0, attrs=reference))


@pytest.mark.parametrize("case", READ)
def test_axes_of_size_one_and_times_by_any_name(tmp_path, case):
    split = open_files(save(READ[case](), tmp_path / "world.nc")).splits["train"]
    np.testing.assert_array_equal(split.raw(0, STEPS), truth())
    np.testing.assert_array_equal(split.times, START + np.arange(STEPS) * 6 * 3600)


def test_preliminary_data_fill_what_final_data_lack(tmp_path):
    data = world()
    parts = [data.where(data.time >= 12), data.where(data.time < 12)]
    number = xarray.DataArray([5, 1], dims="expver", name="expver")
    both = xarray.concat(parts, number).transpose("time", "expver", "lat", "lon")
    for name in NAMES:
        both[name].attrs = data[name].attrs
    both["TMQ"].values[0, 0] = 1.0  # final data go before preliminary ones
    both["time"].attrs = data.time.attrs
    np.testing.assert_array_equal(frames(save(both, tmp_path / "era5.nc")), truth())


def test_a_file_with_one_scalar_time_is_one_frame(tmp_path):
    paths = [save(world().isel(time=n), tmp_path / f"{n}.nc") for n in (2, 0, 1)]
    np.testing.assert_array_equal(frames(paths), truth()[:3])


@pytest.mark.parametrize(
    ("name", "levels", "attributes"),
    [
        ("isobaric1", [50000, 85000], {"units": "Pa", "axis": "Z", "positive": "down"}),
        ("pressure_level", [850, 500], {"units": "hPa", "standard_name": "air_pressure"}),
        ("plev", [850, 500], {"units": "mbar"}),
        ("plev19", [85000, 50000], {"units": "Pa"}),
        ("lev", [85000, 50000], {"units": "Pascals"}),
        ("level", [850, 500], {"units": "millibars"}),
        ("level", [500, 850], {}),
        ("z", [85.0, 50.0], {"units": "kPa"}),
        ("plev", [85000], {"units": "Pa"}),
    ],
)
def test_pressure_levels_are_told_by_their_attributes(tmp_path, name, levels, attributes):
    data = world("U850", "PSL")
    stack = np.stack([data.U850.values + abs(level - levels[np.argmax(levels)]) * 0
                      for level in levels], 1)  # fmt: skip
    at_850 = int(np.argmin([abs(str(level)[:2] != "85") for level in levels]))
    for number in set(range(len(levels))) - {at_850}:
        stack[:, number] = 99
    dims = ("time", name, "lat", "lon")
    data["U"] = (dims, stack, {"units": "m/s", "standard_name": "eastward_wind"})
    data = data.drop_vars("U850").assign_coords({name: (name, np.array(levels, float), attributes)})
    path = save(data, tmp_path / "winds.nc")
    expected = truth("U850", "PSL")
    np.testing.assert_array_equal(frames(path, channels=["U850", "PSL"]), expected)
    named = {"U850": "U"}
    np.testing.assert_array_equal(frames(path, channels=["U850", "PSL"], variables=named), expected)


def test_a_scalar_level_is_a_level(tmp_path):
    data = world("U850").rename(U850="ua")
    data["ua"].attrs["standard_name"] = "eastward_wind"
    data = data.assign_coords(plev=xarray.DataArray(85000.0, attrs={"units": "Pa", "axis": "Z"}))
    path = save(data, tmp_path / "ua850.nc")
    np.testing.assert_array_equal(frames(path, channels=["U850"]), truth("U850"))
    data["plev"] = data.plev.copy(data=50000.0)
    path = save(data, tmp_path / "ua500.nc")
    said = refusal(path, channels=["U850"], variables={"U850": "ua"})
    assert "ua has no level at 850 hPa (plev: 500)" in said


@pytest.mark.parametrize(
    ("channel", "unit", "factor", "offset"),
    [
        ("PSL", "Pascals", 1, 0),
        ("PSL", "mb", 100, 0),
        ("PSL", "hectopascals", 100, 0),
        ("PSL", "millibar", 100, 0),
        ("PSL", "PA", 1, 0),
        ("PSL", "inHg", 3386.389, 0),
        ("TREFHT", "degK", 1, 0),
        ("TREFHT", "Kelvin", 1, 0),
        ("TREFHT", "deg C", 1, 273.15),
        ("TREFHT", "degrees_C", 1, 273.15),
        ("TREFHT", "C", 1, 273.15),
        ("TMQ", "kg m**-2", 1, 0),
        ("TMQ", "kg.m-2", 1, 0),
        ("TMQ", "mm", 1, 0),
        ("TMQ", "m of water equivalent", 1000, 0),
        ("PRECT", "kg m-2 s-1", 1e-3, 0),
        ("PRECT", "mm/day", 1e-3 / 86400, 0),
        ("U850", "knots", 1852 / 3600, 0),
        ("Z200", "m**2 s**-2", 1 / 9.80665, 0),
        ("Z200", "gpm", 1, 0),
    ],
)
def test_units_are_converted(tmp_path, channel, unit, factor, offset):
    data = world(channel)
    stored = (fields(channel).astype("f8") - offset) / factor
    data[channel] = (AXES, stored, {"units": unit})
    found = frames(save(data, tmp_path / "world.nc"), channels=[channel])
    np.testing.assert_allclose(found, truth(channel), rtol=1e-5, atol=1e-12)


def test_times_as_float32_days_are_rounded_to_what_they_resolve(tmp_path):
    data = world()
    days = 100 * 365 + 0.25 * np.arange(STEPS) + 1 / 48  # at half past: 5 minutes apart
    units = {"units": "days since 1901-01-01", "calendar": "noleap"}
    data["time"] = ("time", days.astype("f4"), units)
    split = open_files(save(data, tmp_path / "world.nc")).splits["train"]
    np.testing.assert_array_equal(split.times, START + 1800 + np.arange(STEPS) * 6 * 3600)


def test_times_between_whole_hours_with_gaps_are_exact(tmp_path):
    data = world(hours=0.5, first=0.5).isel(time=[0, 1, 3])
    split = open_files(save(data, tmp_path / "gap.nc"), allow_gaps=True).splits["train"]
    assert split.times.tolist() == [START + 1800, START + 3600, START + 7200]


# What is refused, and how


def test_files_of_one_channel_each_are_named_in_what_is_wrong(tmp_path):
    good, bad = world("TMQ"), world("PSL")
    bad["PSL"].values[2, 1, 1] = np.nan
    files = [save(good, tmp_path / "tmq.nc"), save(bad, tmp_path / "psl.nc")]
    assert f"{tmp_path / 'psl.nc'}, step 2: PSL holds NaN" in refusal(files)
    short = save(world("PSL").isel(time=slice(0, 3)), tmp_path / "short.nc")
    said = refusal([files[0], short])
    assert f"TMQ has a frame where PSL has none ({tmp_path / 'tmq.nc'}, step 3)" in said
    moved = world("PSL")
    moved["lat"] = moved.lat.copy(data=moved.lat.values + 10)
    said = refusal([files[0], save(moved, tmp_path / "moved.nc")])
    assert said.startswith(f"{tmp_path / 'moved.nc'}: PSL is on another grid than TMQ in ")


def test_files_that_share_a_step_are_both_named(tmp_path):
    first = save(world(), tmp_path / "a.nc")
    second = save(world(first=18), tmp_path / "b.nc")
    assert refusal([first, second]).startswith(
        f"{first}, step 3, and {second}, step 0, are of one time (TMQ): files overlap"
    )


def test_missing_channels_of_many_files_are_named_with_what_there_is(tmp_path):
    files = [save(world(name), tmp_path / f"{name}.nc") for name in NAMES]
    said = refusal(files, channels=[*NAMES, "U850"])
    assert said.startswith(
        f"{files[0]} and 1 more: no variable for U850 (eastward wind at 850 hPa)"
    )
    assert "they have PSL, TMQ" in said


def test_hybrid_levels_are_no_pressures(tmp_path):
    data = world("U850", "PSL")
    hybrid = {
        "units": "hPa",
        "standard_name": "atmosphere_hybrid_sigma_pressure_coordinate",
        "formula_terms": "a: hyam b: hybm p0: P0 ps: PS",
    }
    winds = data.U850.expand_dims(lev=[850.1, 992.5], axis=1)
    data["U"] = winds.assign_attrs(units="m/s", standard_name="eastward_wind")
    data = data.drop_vars("U850").assign_coords(lev=("lev", [850.1, 992.5], hybrid))
    path = save(data, tmp_path / "cam.nc")
    for variables in ({}, {"U850": "U"}):
        said = refusal(path, channels=["U850", "PSL"], variables=variables)
        assert "U has the vertical axis lev (atmosphere_hybrid_sigma_pressure_coordinate)" in said


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "months": (
        lambda: _since("months since 2001-01-01"),
        "time counts 'months since 2001-01-01', and months and years differ in length",
    ),
    "year 0": (
        lambda: _since("days since 0000-01-01", "standard"),
        "the calendar 'standard' has no year 0",
    ),
    "dates as numbers": (
        lambda: _since("day as %Y%m%d.%f"),
        "TMQ has the time time in 'day as %Y%m%d.%f': it needs an axis",
    ),
    "no time": (lambda: world().isel(time=0, drop=True), "TMQ has no time: it needs an axis"),
    "no steps": (lambda: world().isel(time=[]), "time has no steps: the file holds no frame"),
    "a time that is missing": (
        lambda: world().assign_coords(
            time=("time", [0, 6, np.nan, 18], {"units": "hours since 2001-01-01"})
        ),
        "time is missing at step 2",
    ),
    "members": (
        lambda: xarray.concat([world(), world()], "number", data_vars="all").transpose(
            "time", "number", ...
        ),
        "TMQ has 2 fields a time along 'number': choose one, with ncks -d number,0",
    ),
    "two-dimensional coordinates": (
        lambda: world().rename(lat="y", lon="x").drop_vars(["x", "y"]),
        "TMQ has the axes time, y, x, none of which is the latitude",
    ),
    "unknown calendar": (
        lambda: _since("hours since 2001-01-01", "martian"),
        "calendar 'martian', cannot be dated",
    ),
    "several groups": (lambda: None, "holds its variables in the groups atm, ocn: take one"),
}


def _since(units: str, calendar: str = "noleap") -> Any:
    attributes = {"units": units, "calendar": calendar}
    return world().assign_coords(time=("time", np.arange(STEPS) * 6.0, attributes))


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path, case):
    make, says = REFUSED[case]
    path = tmp_path / "world.nc"
    if case == "several groups":
        for group, mode in {"atm": "w", "ocn": "a"}.items():
            save(world(), path, group=group, mode=mode)
    else:
        save(make(), path)
    assert says in refusal(path)


def _gzip(path: Path) -> None:
    classic = save(world(), path.with_name("classic.nc"), engine="scipy")
    with classic.open("rb") as source, gzip.open(path, "wb") as target:
        shutil.copyfileobj(source, target)


def _plain_hdf5(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file["images"] = np.zeros((2, 16, 4, 4), "f4")


CONTENT: dict[str, tuple[Callable[[Path], Any], str]] = {
    "gzip": (_gzip, "is a gzip archive, neither NetCDF nor Zarr: unpack it"),
    "empty": (lambda path: path.write_bytes(b""), "is an empty file"),
    "html": (lambda path: path.write_text("<!DOCTYPE html><p>Log in"), "is a web page"),
    "grib": (
        lambda path: path.write_bytes(b"GRIB\0\0\0\1" + bytes(99)),
        "(cannot be read as GRIB after 0 fields|is a GRIB file, which needs eccodes)",
    ),
    "text": (
        lambda path: path.write_text("lat,lon,value\n"),
        "is a text file that begins with 'lat,lon,value'",
    ),
    "root": (
        lambda path: path.write_bytes(b"root\0\0\xf4\x24" + bytes(99)),
        "is a ROOT file, neither NetCDF nor Zarr: convert it",
    ),
    "npy": (lambda path: path.write_bytes(b"\x93NUMPY\1\0" + bytes(99)), "is a NumPy array"),
    "noise": (lambda path: path.write_bytes(bytes(range(200, 256))), "it begins with b'"),
    "hdf5": (_plain_hdf5, "holds 'images' and no fields by name: is it a climo_YYYY.h5"),
    "folder": (lambda path: path.mkdir(), r"is a folder but no Zarr store: give .*/world.nc/\*.nc"),
}


@pytest.mark.parametrize("case", CONTENT)
def test_files_of_other_formats_are_told(tmp_path, case):
    make, says = CONTENT[case]
    make(tmp_path / "world.nc")
    assert re.search(says, refusal(tmp_path / "world.nc"))


@pytest.mark.parametrize("address", ["gs://bucket/era5.zarr", "s3://b/x.nc", "https://site/x.nc"])
def test_addresses_are_said_not_to_be_read(address):
    assert refusal(address).startswith(f"dataset.train={address} is an address")


def test_zarr_groups_are_chosen_among_by_their_path(tmp_path):
    store = tmp_path / "store.zarr"
    for group in ("atm", "ocn"):
        world().to_zarr(store, group=group, mode="a", zarr_format=2, consolidated=False)
    assert f"in the groups atm, ocn: take one, for example give {store}/atm" in refusal(store)
    np.testing.assert_array_equal(frames(store / "atm"), truth())


class _Marker:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_zarr_array_of_pickles_runs_nothing(tmp_path):
    store = tmp_path / "store.zarr"
    world().to_zarr(store, zarr_format=2, consolidated=False)
    shutil.rmtree(store / "lat")
    (store / "lat").mkdir()
    (store / "lat/.zarray").write_text(
        '{"zarr_format": 2, "shape": [6], "chunks": [6], "dtype": "|O", "fill_value": null, '
        '"order": "C", "compressor": {"id": "pickle"}, "filters": [{"id": "vlen-utf8"}]}'
    )
    (store / "lat/.zattrs").write_text('{"_ARRAY_DIMENSIONS": ["lat"], "units": "degrees_north"}')
    (store / "lat/0").write_bytes(pickle.dumps(_Marker(tmp_path / "ran")))
    assert "Pickle.decode is disabled" in refusal(store)
    assert not (tmp_path / "ran").exists()


def test_chunks_of_a_store_that_are_not_there_are_told(tmp_path, capsys):
    store = tmp_path / "store.zarr"
    chunks = {name: {"chunks": (1, HEIGHT, WIDTH), "_FillValue": None} for name in NAMES}
    world().to_zarr(store, zarr_format=2, consolidated=False, encoding=chunks)
    open_files(store)
    assert "chunks" not in "".join(capsys.readouterr())
    (store / "TMQ/1.0.0").unlink()
    assert (frames(store)[1, 0] == 0).all()  # no NaN that the check of values would find
    told = " ".join("".join(capsys.readouterr()).split())
    assert "1 of 4 chunks of TMQ are not there and are read as the fill value" in told


def test_several_fill_values_are_read_without_a_warning_of_xarray(tmp_path, recwarn):
    import h5netcdf

    path = save(world(), tmp_path / "world.nc", encoding={"TMQ": {"_FillValue": 1e20}})
    with h5netcdf.File(path, "a") as file:
        file["TMQ"].attrs["missing_value"] = np.float32(-999)
    np.testing.assert_array_equal(frames(path), truth())
    assert not [str(warning.message) for warning in recwarn]


def test_fields_in_other_files_are_not_read(tmp_path):
    import h5py

    with h5py.File(save(world(), tmp_path / "linked.nc"), "a") as file:
        file["U850"] = h5py.ExternalLink("/etc/secret.nc", "/U850")
    assert "linked.nc: U850 lies in another file" in refusal(tmp_path / "linked.nc")
    (tmp_path / "raw.bin").write_bytes(bytes(4 * STEPS * HEIGHT * WIDTH))
    with h5py.File(save(world(), tmp_path / "raw.nc"), "a") as file:
        shape = (STEPS, HEIGHT, WIDTH)
        file.create_dataset("U850", shape, "f4", external=[(str(tmp_path / "raw.bin"), 0, 2000)])
    assert "raw bytes in other files" in refusal(tmp_path / "raw.nc")


@pytest.mark.parametrize("way", ["netcdf-4", "classic", "cdf-5"])
@pytest.mark.parametrize("share", [0.2, 0.95])
def test_a_file_that_is_cut_off_is_named(tmp_path, way, share):
    (path,) = STORED[way](tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    said = refusal(path)
    assert str(path) in said
    assert "complete" in said or "damaged" in said


def test_an_attribute_whose_name_is_no_text_is_one_line(tmp_path):
    (path,) = STORED["classic"](tmp_path)
    content = path.read_bytes()
    assert b"units" in content
    path.write_bytes(content.replace(b"units", b"\xffnits"))
    assert str(path) in refusal(path)
