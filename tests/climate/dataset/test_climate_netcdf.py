"""CF files become frames: names, units, axes, calendars, lists of boxes; and what is refused."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import baryon_climate
from baryon.errors import BaryonError
from baryon_climate.dataset.calendar import CALENDARS
from baryon_climate.dataset.climate_netcdf import ClimateNetcdf
from baryon_climate.fields import CHANNELS
from baryon_climate.grid import Grid

xarray = pytest.importorskip("xarray")

HEIGHT, WIDTH, STEPS = 13, 24, 6


def _coordinates(start: str, calendar: str, step: int = 6) -> dict[str, Any]:
    return {
        "time": (
            "time",
            np.arange(STEPS) * step,
            {"units": f"hours since {start}", "calendar": calendar},
        ),
        "lat": ("lat", np.linspace(-90, 90, HEIGHT), {"units": "degrees_north"}),
        "lon": ("lon", np.arange(WIDTH) * 15.0, {"units": "degrees_east"}),
    }


def _values(seed: int, channel: int) -> np.ndarray:
    low, high = CHANNELS[channel].plausible
    share = np.random.default_rng([seed, channel]).random((STEPS, HEIGHT, WIDTH))
    return (low + (high - low) * share).astype("f4")


def cam5(start: str = "1979-01-01", calendar: str = "noleap", seed: int = 1, step: int = 6):
    """All 16 channels under their own names."""
    variables = {
        channel.name: (("time", "lat", "lon"), _values(seed, number), {"units": channel.unit})
        for number, channel in enumerate(CHANNELS)
    }
    return xarray.Dataset(variables, _coordinates(start, calendar, step))


@pytest.fixture
def write(tmp_path):
    def to(name: str, data: Any) -> str:
        path = tmp_path / name
        if name.endswith(".zarr"):
            data.to_zarr(path, consolidated=False)
        else:
            data.to_netcdf(path, engine="h5netcdf")
        return str(path)

    return to


@pytest.fixture
def open_files():
    shipped = Path(baryon_climate.__file__).parent / "conf/dataset/climate_netcdf.yaml"
    options = yaml.safe_load(shipped.read_text())
    del options["name"], options["defaults"]

    def make(train: Any, **changes: Any) -> ClimateNetcdf:
        return ClimateNetcdf(**options | {"train": train} | changes)

    return make


def physical(split: Any, start: int, stop: int) -> np.ndarray:
    read = split.read(start, stop)
    middle, half = split.scaling.T[..., None, None]
    return read["inputs"] * half + middle


@pytest.mark.parametrize("name", ["frames.nc", "frames.zarr"])
def test_channels_are_found_by_name_in_netcdf_and_zarr(write, open_files, name):
    split = open_files(write(name, cam5())).splits["train"]
    assert split.fields["inputs"].shape == (16, HEIGHT, WIDTH)
    expected = np.stack([_values(1, channel) for channel in range(16)], axis=1)
    half = split.scaling[:, 1, None, None]
    assert (np.abs(physical(split, 2, 5) - expected[2:5]) <= 1e-5 * half + 1e-12).all()
    np.testing.assert_array_equal(split.read(0, 1)["grid"][0], Grid.globe(HEIGHT, WIDTH).array())
    assert split.read(0, 3)["labelled"].tolist() == [0, 0, 0]
    assert "step 4" in split.place(4)


@pytest.mark.parametrize("name", ["frames.nc", "frames.zarr"])
def test_a_pickled_split_opens_its_files_anew(write, open_files, name):
    split = open_files(write(name, cam5())).splits["train"]
    other = pickle.loads(pickle.dumps(split))  # noqa: S301
    read = split.read(1, 4)
    split.close()
    for field, values in other.read(1, 4).items():
        np.testing.assert_array_equal(values, read[field])
    other.close()


def test_standard_names_levels_units_and_north_first(write, open_files):
    levels = np.array([20000.0, 50000.0, 85000.0, 100000.0])
    temperature = np.random.default_rng(1).uniform(210, 290, (STEPS, 4, HEIGHT, WIDTH)).astype("f4")
    near = np.random.default_rng(2).uniform(-40, 30, (STEPS, HEIGHT, WIDTH)).astype("f4")
    rain = np.random.default_rng(3).uniform(0, 9e-4, (STEPS, HEIGHT, WIDTH)).astype("f4")
    data = xarray.Dataset(
        {
            "ta": (("time", "plev", "latitude", "lon"), temperature,
                   {"standard_name": "air_temperature", "units": "K"}),
            "tas": (("time", "latitude", "lon"), near,
                    {"standard_name": "air_temperature", "units": "degC"}),
            "pr": (("time", "latitude", "lon"), rain, {"units": "kg m-2 s-1"}),
        },
        {
            **{k: v for k, v in _coordinates("2001-03-01", "standard").items() if k != "lat"},
            "latitude": ("latitude", np.linspace(90, -90, HEIGHT), {"units": "degrees_north"}),
            "plev": ("plev", levels, {"units": "Pa"}),
        },
    )  # fmt: skip
    chosen = ["T500", "TREFHT", "PRECT"]
    opened = open_files(
        write("cmip.nc", data), channels=chosen, variables={"PRECT": "pr"}, check_values=False
    )
    split = opened.splits["train"]
    assert opened.calendar == "proleptic_gregorian"
    found = physical(split, 0, STEPS)
    np.testing.assert_allclose(found[:, 0], temperature[:, 1, ::-1], rtol=1e-5)
    np.testing.assert_allclose(found[:, 1], near[:, ::-1] + 273.15, rtol=1e-5)
    np.testing.assert_allclose(found[:, 2], rain[:, ::-1] / 1000, rtol=1e-4, atol=1e-11)
    assert split.grid.latitude == -90


def test_classic_netcdf_is_read_as_cam5_writes_it(tmp_path, open_files):
    path = tmp_path / "classic.nc"
    cam5().to_netcdf(path, engine="scipy", format="NETCDF3_64BIT")
    assert path.read_bytes()[:3] == b"CDF"
    split = open_files(str(path)).splits["train"]
    half = split.scaling[:, 1, None, None]
    expected = np.stack([_values(1, channel)[3] for channel in range(16)])
    assert (np.abs(physical(split, 3, 4)[0] - expected) <= 1e-5 * half + 1e-12).all()


def test_era5_calls_the_time_valid_time_and_heights_geopotential(write, open_files):
    data = cam5().rename(time="valid_time", Z200="z")[["z", "PSL"]]
    data["valid_time"].attrs["standard_name"] = "time"
    data["z"] = (data["z"] * 9.80665).assign_attrs(units="m**2 s**-2")
    opened = open_files(write("era5.nc", data), channels=["Z200", "PSL"], variables={"Z200": "z"})
    found = physical(opened.splits["train"], 0, 1)[0, 0]
    np.testing.assert_allclose(found, _values(1, 14)[0], rtol=1e-5)
    assert opened.splits["train"].read(1, 2)["time"].tolist() == [(79 * 8760 + 6) * 3600]


def test_missing_channels_are_listed_together(write, open_files):
    data = cam5().drop_vars(["TMQ", "Z200"]).rename(U850="ua850")
    with pytest.raises(BaryonError) as error:
        open_files(write("frames.nc", data))
    said = str(error.value)
    assert "TMQ (precipitable water); U850 (eastward wind at 850 hPa); Z200 (" in said
    assert "ua850" in said
    assert "\n" not in said
    found = open_files(
        write("again.nc", data), variables={"U850": "ua850"}, channels=["U850", "PSL"]
    )
    assert found.splits["train"].fields["inputs"].shape[0] == 2


def test_channels_that_two_variables_fit_are_asked_about(write, open_files):
    data = cam5().rename(PSL="a")
    for name in ("a", "b"):
        data[name] = data["a"].assign_attrs(standard_name="air_pressure_at_mean_sea_level")
    with pytest.raises(BaryonError, match="PSL may be a or b"):
        open_files(write("frames.nc", data))


def test_unknown_channels_and_units_are_named(write, open_files):
    path = write("frames.nc", cam5())
    with pytest.raises(BaryonError, match=r"dataset.channels=\['TMG'\]: 'TMG' is unknown; did you"):
        open_files(path, channels=["TMG"])
    with pytest.raises(BaryonError, match="no channel 'TMG'"):
        open_files(path, variables={"TMG": "x"})
    data = cam5()
    data["PSL"].attrs["units"] = "inches"
    with pytest.raises(BaryonError, match="PSL is in 'inches', but PSL is in 'Pa'"):
        open_files(write("inches.nc", data))


@pytest.mark.parametrize(
    ("calendar", "start", "hours"),
    [
        ("noleap", "1904-03-01", (4 * 365 + 59) * 24),
        ("360_day", "1904-03-01", (4 * 360 + 60) * 24),
        ("standard", "1904-03-01", (4 * 365 + 60) * 24),
    ],
)
def test_times_count_in_the_calendar_of_the_files(write, open_files, calendar, start, hours):
    opened = open_files(write("frames.nc", cam5(start, calendar)))
    read = opened.splits["train"].read(1, 2)
    assert read["time"].tolist() == [(hours + 6) * 3600]
    assert CALENDARS[read["calendar"][0]] == opened.calendar


def test_files_come_in_the_order_of_time(write, open_files, tmp_path):
    write("b.nc", cam5("1979-01-01", seed=1))
    write("a.nc", cam5("1979-01-02T12:00", seed=2))
    split = open_files(str(tmp_path / "*.nc")).splits["train"]
    assert split.times.tolist() == [(79 * 8760 + 6 * step) * 3600 for step in range(2 * STEPS)]
    with pytest.raises(BaryonError, match="files overlap"):
        open_files([str(tmp_path / "a.nc"), write("c.nc", cam5("1979-01-02T18:00", seed=3))])


def test_a_file_missing_in_the_middle_is_refused_unless_gaps_are_allowed(
    write, open_files, tmp_path, capsys
):
    whole = write("c.nc", cam5("1979-01-01", seed=1))
    write("a.nc", cam5("1979-02-01", seed=2))
    files = str(tmp_path / "*.nc")
    told = (
        f"1 gap in time, the first of 714 hours, where 6 are usual, between {whole}, step 5, and "
        f"{tmp_path / 'a.nc'}, step 0"
    )
    advice = (
        "give the files that are missing, or allow gaps with dataset.allow_gaps=true (no window "
        "then spans one)"
    )
    with pytest.raises(BaryonError) as error:
        open_files(files)
    assert str(error.value) == f"{told}: {advice}"
    split = open_files(files, window=2, allow_gaps=True).splits["train"]
    assert len(split) == 2 * (STEPS - 1)
    assert told in " ".join(" ".join(capsys.readouterr()).split())
    with pytest.raises(BaryonError, match="1 gap in time"):
        open_files(whole).open_input([files])


def test_calendars_and_grids_must_be_one(write, open_files):
    first = write("a.nc", cam5())
    with pytest.raises(BaryonError, match=r"in the calendar '360_day', but .* in 'noleap'"):
        open_files([first, write("b.nc", cam5("1980-01-01", "360_day"))])
    with pytest.raises(BaryonError, match="on another grid"):
        open_files([first, write("c.nc", cam5("1980-01-01").isel(lon=slice(0, 12)))])


def test_uneven_grids_are_refused(write, open_files):
    data = cam5()
    data["lat"] = ("lat", np.sign(data.lat.values) * data.lat.values**2 / 90, data.lat.attrs)
    with pytest.raises(BaryonError, match="lat is not evenly spaced"):
        open_files(write("frames.nc", data))


def test_regions_and_western_longitudes(write, open_files):
    data = cam5().isel(lat=slice(6, 12), lon=slice(0, 10))
    data["lon"] = ("lon", np.arange(-100.0, 50, 15), data.lon.attrs)
    split = open_files(write("region.nc", data)).splits["train"]
    grid = split.read(0, 1)["grid"][0].tolist()
    assert grid == pytest.approx([0, 15, 260, 15, 0])


def test_gaps_in_fields_are_named(write, open_files):
    data = cam5()
    data["TS"].values[2, 3, 4] = np.nan
    path = write("frames.nc", data)
    with pytest.raises(BaryonError, match=r"frames\.nc, step 2: TS holds NaN in 1 of 312 pixels"):
        open_files(path)


def test_files_that_are_none(open_files, tmp_path):
    (tmp_path / "text.nc").write_text("not NetCDF")
    with pytest.raises(
        BaryonError, match="is a text file that begins with 'not NetCDF', neither NetCDF nor"
    ):
        open_files(str(tmp_path / "text.nc"))
    with pytest.raises(BaryonError, match=r"dataset.train=.*\.grib matches nothing"):
        open_files(str(tmp_path / "*.grib"))


def _boxes(split: Any, frame: int) -> list[list[float]]:
    boxes = split.read(frame, frame + 1)["boxes"][0]
    return boxes[boxes[:, 4] >= 0].tolist()


def test_boxes_in_degrees(write, open_files, tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text(
        "time,class,lat_min,lon_min,lat_max,lon_max\n"
        "1979-01-01T06:00,TC,15,30,45,60\n"
        "1979-01-01 06:00:00,2,-60,345,-30,30\n"
        "1979-01-02,AR,0,0,30,75\n"
        "1985-01-01T00:00,TC,0,0,30,75\n"
    )
    split = open_files(write("frames.nc", cam5()), boxes=str(path)).splits["train"]
    assert split.read(0, STEPS)["labelled"].tolist() == [0, 1, 0, 0, 1, 0]
    assert _boxes(split, 1) == [[7, 2, 9, 4, 1], [2, 23, 4, 26, 2]]
    assert _boxes(split, 4) == [[6, 0, 8, 5, 3]]


def test_all_splits_have_as_many_rows_of_boxes_as_the_fullest_frame(write, open_files, tmp_path):
    path = tmp_path / "boxes.csv"
    crowded = "".join(f"1980-01-01T06:00,TC,{n},30,{n + 15},60\n" for n in range(40))
    path.write_text(
        "time,class,lat_min,lon_min,lat_max,lon_max\n1979-01-01,AR,0,0,30,75\n" + crowded
    )
    first, second = write("a.nc", cam5()), write("b.nc", cam5("1980-01-01"))
    opened = open_files(first, val=second, boxes=str(path))
    train, val = opened.splits["train"], opened.splits["val"]
    assert train.fields["boxes"].shape == val.fields["boxes"].shape == (40, 5)
    assert (len(_boxes(train, 0)), len(_boxes(val, 1))) == (1, 40)
    assert opened.open_input([second]).read(0, 1)["boxes"].shape == (1, 40, 5)


def test_boxes_of_extreme_weathers_list(write, open_files, tmp_path):
    path = tmp_path / "labels.csv"
    rows = "1979,1,1,2,8,11,15,20,2\n1979,1,1,4,1,3,18,22,4\n"
    path.write_text("year,month,day,time_step,xmin,xmax,ymin,ymax,category\n" + rows)
    opened = open_files(write("frames.nc", cam5()), boxes=str(path), first_class=1)
    split = opened.splits["train"]
    assert _boxes(split, 1) == [[8, 15, 11, 20, 1]]  # their x is the axis of latitude
    assert _boxes(split, 2) == [[1, 18, 3, 22, 3]]


def test_boxes_of_geojson_split_at_the_antimeridian(write, open_files, tmp_path):
    def ring(west: float, south: float, east: float, north: float) -> list:
        return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]

    features = [
        {"properties": {"time": "1979-01-01T06:00", "class": "ETC"},
         "geometry": {"type": "Polygon", "coordinates": ring(-45, 30, 0, 60)}},
        {"properties": {"time": "1979-01-01T06:00", "class": 3},
         "geometry": {"type": "MultiPolygon",
                      "coordinates": [ring(165, 0, 180, 30), ring(-180, 0, -150, 30)]}},
    ]  # fmt: skip
    path = tmp_path / "boxes.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    split = open_files(write("frames.nc", cam5()), boxes=str(path)).splits["train"]
    assert _boxes(split, 1) == [[8, 21, 10, 24, 2], [6, 11, 8, 14, 3]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", "has the columns a, b; it needs time, class"),
        ("time,class,lat_min,lon_min,lat_max,lon_max\nnever,TC,1,2,3,4\n", "line 2 cannot be read"),
        ("time,class,lat_min,lon_min,lat_max,lon_max\n1979-02-29,TC,1,2,3,4\n",
         "line 2: the calendar 'noleap' has no 1979-02-29"),
        ("time,class,lat_min,lon_min,lat_max,lon_max\n1999-02-01,TC,1,2,3,4\n", "none of its 1"),
        ("time,class,lat_min,lon_min,lat_max,lon_max\n1979-01-01,7,0,15,30,45\n", "unknown class"),
        ("time,class,lat_min,lon_min,lat_max,lon_max\n1979-01-01,1,30,15,0,45\n",
         "of no or negative size"),
    ],
)  # fmt: skip
def test_lists_that_cannot_be_used_are_named(write, open_files, tmp_path, text, says):
    path = tmp_path / "boxes.csv"
    path.write_text(text)
    with pytest.raises(BaryonError) as error:
        open_files(write("frames.nc", cam5()), boxes=str(path))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("step", "first", "expected"),
    [
        (1, 0.5, [1800, 5400, 9000]),  # hourly means, stamped in the middle
        (3, 1.5, [5400, 16200, 27000]),
        (0.5, 0, [0, 1800, 3600]),
        (0.25, 0.25, [900, 1800, 2700]),
    ],
)
def test_times_between_whole_hours_are_kept(write, open_files, step, first, expected):
    data = cam5(start="1900-01-01", step=step)
    data["time"] = data["time"].copy(data=data["time"].values + first)
    read = open_files(write("frames.nc", data)).splits["train"].read(0, 3)
    assert read["time"].tolist() == expected
