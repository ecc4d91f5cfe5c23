"""Boxes in the formats that the field's tools read."""

import csv
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
import xarray
from hypothesis import given
from hypothesis import strategies as st

from baryon_climate.grid import Grid
from baryon_climate.prediction.geojson import GeoJson, pieces
from baryon_climate.prediction.netcdf import NetCdf
from baryon_climate.prediction.nodes import CsvNodes, DetectedNodes

NOLEAP = "noleap"
REAL = SimpleNamespace(calendar=NOLEAP, synthetic=False)
MADE_UP = SimpleNamespace(calendar=NOLEAP, synthetic=True)


def _write(writer, folder, frames, about=REAL):
    with writer(folder, about) as open_one:
        for one in frames:
            open_one.append(one)


def test_pixels_become_degrees(make):
    grid = Grid.globe(181, 360)
    (here,) = [make(4, 0, [(90, 350, 100, 370, 1, 0.5)], grid)]
    assert (here.west[0], here.east[0]) == (350.0, 370.0)
    assert (here.south[0], here.north[0]) == (0.0, 10.0)
    assert (here.longitude[0], here.latitude[0]) == (0.0, 5.0)
    assert (here.column[0], here.row[0]) == (0, 95)
    north_first = Grid(181, 360, 90.0, -1.0, 0.0, 1.0, True)
    turned = make(4, 0, [(80, 350, 90, 370, 1, 0.5)], north_first)
    assert (turned.south[0], turned.north[0]) == (0.0, 10.0)
    assert here.area[0] == pytest.approx(turned.area[0])


def test_a_box_ends_at_the_pole_and_one_of_no_area_is_left_out(make):
    here = make(0, 0, [(760, 10, 768, 20, 2, 0.9), (100, 5, 100, 9, 0, 0.8)])
    assert here.north.tolist() == [90.0]
    assert here.classes.tolist() == [2]


def _read_as_tempest_extremes_does(path):
    """What `NodeFile::ReadCSV` requires, told from its source: names, integers, equal columns."""
    text = path.read_text()
    assert text.endswith("\n")  # a last line without an end is not read
    assert '"' not in text  # it knows no quotes
    header, *lines = (line.split(",") for line in text.splitlines())
    needed = {"track_id", "year", "month", "day", "hour", "lon", "lat"}
    assert needed <= set(header)
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    for row in rows:
        assert all(row[name].isdigit() for name in ("year", "month", "day", "hour", "i", "j"))
    return rows


def test_a_csv_is_a_nodefile_and_has_corners_class_score_and_time(tmp_path, frames):
    _write(CsvNodes, tmp_path, frames)
    rows = _read_as_tempest_extremes_does(tmp_path / "boxes.csv")
    assert [row["class"] for row in rows] == ["TC", "AR", "ETC"]
    assert [row["track_id"] for row in rows] == ["0", "1", "2"]
    assert [row["time"] for row in rows] == [
        "1979-01-01T00:00:00",
        "1979-01-01T00:00:00",
        "1979-03-01T00:00:00",  # the 60th day, also in a leap year
    ]
    first = rows[0]
    assert (int(first["i"]), int(first["j"])) == (3, 420)
    assert float(first["lon"]) == pytest.approx(3 * 360 / 1152, abs=1e-4)
    assert float(first["lon_east"]) - float(first["lon_west"]) == pytest.approx(50 * 0.3125)
    assert float(first["score"]) == pytest.approx(0.95)


def test_nodes_are_what_stitch_nodes_joins(tmp_path, frames):
    _write(DetectedNodes, tmp_path, frames)
    for name, expected in {"TC": [1, 0, 0], "AR": [1, 0, 0], "ETC": [0, 0, 1]}.items():
        lines = (tmp_path / "nodes" / f"{name}.txt").read_text().splitlines()
        counts = []
        while lines:
            year, _, _, count, hour = map(int, lines.pop(0).split())
            assert (year, hour % 3) == (1979, 0)
            counts.append(count)
            for _ in range(count):
                i, j, lon, lat, score, _ = lines.pop(0).split()
                assert i.isdigit()
                assert j.isdigit()
                assert 0 <= float(lon) < 360
                assert abs(float(lat)) <= 90
                assert 0.8 < float(score) < 1
        assert counts == expected


@given(west=st.floats(0, 359.9), width=st.floats(0.1, 360), south=st.floats(-90, 80))
def test_rings_keep_the_rules_of_rfc_7946(west, width, south):
    rings = pieces(west, west + width, south, south + 5)
    total = 0.0
    for ring in rings:
        x, y = np.array(ring).T
        assert ring[0] == ring[-1]
        assert (np.abs(x) <= 180).all()
        area = np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2
        assert area >= 0  # counterclockwise
        total += x.max() - x.min()
    assert total == pytest.approx(width, abs=1e-5)
    assert len(rings) <= 2
    assert len(rings) == 1 or (rings[0][1][0], rings[1][0][0]) == (180.0, -180.0)


def test_geojson_is_cut_at_the_antimeridian_and_not_at_greenwich(tmp_path, frames):
    _write(GeoJson, tmp_path, frames)
    features = json.loads((tmp_path / "boxes.geojson").read_text())["features"]
    cyclone, river, storm = features
    assert [one["geometry"]["type"] for one in features] == ["Polygon", "MultiPolygon", "Polygon"]
    (ring,) = cyclone["geometry"]["coordinates"]
    assert [x for x, _ in ring] == pytest.approx([-6.875, 8.75, 8.75, -6.875, -6.875])
    west, _, east, _ = river["bbox"]
    assert west > 0 > east  # the bounding box, too, crosses it (section 5.2)
    assert storm["properties"]["name"] == "extratropical cyclone"
    assert storm["properties"]["time"] == "1979-03-01T00:00:00"


def test_no_boxes_are_valid_files_too(tmp_path, frames):
    for writer in (CsvNodes, GeoJson, NetCdf):
        _write(writer, tmp_path, frames[1:2])
    with (tmp_path / "boxes.csv").open() as stream:
        assert list(csv.DictReader(stream)) == []
    assert json.loads((tmp_path / "boxes.geojson").read_text())["features"] == []
    # (xarray itself cannot decode no times at all in this calendar)
    with xarray.open_dataset(tmp_path / "boxes.nc", engine="h5netcdf", decode_times=False) as file:
        assert file.sizes["box"] == 0


def test_netcdf_keeps_the_cf_conventions(tmp_path, frames):
    _write(NetCdf, tmp_path, frames)
    with xarray.open_dataset(tmp_path / "boxes.nc", engine="h5netcdf", decode_coords="all") as file:
        assert file.attrs["Conventions"] == "CF-1.11"
        assert file.attrs["featureType"] == "point"
        when, what = file.attrs["history"].split("Z: ")
        assert abs(datetime.now(UTC) - datetime.fromisoformat(f"{when}+00:00")) < timedelta(1)
        assert what == "written by baryon predict"
        assert set(file.coords) == {
            "time", "latitude", "longitude", "latitude_bounds", "longitude_bounds",
        }  # fmt: skip
        assert [str(time)[:13] for time in file.time.values] == [
            "1979-01-01 00", "1979-01-01 00", "1979-03-01 00",
        ]  # fmt: skip
        assert file.time.dt.calendar == NOLEAP
        for name, unit in {"latitude": "degrees_north", "longitude": "degrees_east"}.items():
            variable, bounds = file[name], file[f"{name}_bounds"]
            assert variable.attrs["standard_name"] == name
            assert variable.attrs["units"] == unit
            inside = (bounds[:, 0] <= variable) & (variable <= bounds[:, 1])
            assert inside.all()
        kinds = file["class"].attrs
        names = dict(
            zip(kinds["flag_values"].tolist(), kinds["flag_meanings"].split(), strict=True)
        )
        assert [names[int(one)] for one in file["class"]] == [
            "tropical_cyclone", "atmospheric_river", "extratropical_cyclone",
        ]  # fmt: skip
        np.testing.assert_allclose(file["score"], [0.95, 0.9, 0.85], rtol=1e-6)
        for name in file.data_vars:
            assert file[name].attrs["long_name"]


def test_netcdf_is_written_in_parts(tmp_path, frames, monkeypatch):
    monkeypatch.setattr("baryon_climate.prediction.netcdf.HELD", 2)
    _write(NetCdf, tmp_path, frames * 3)
    with xarray.open_dataset(tmp_path / "boxes.nc", engine="h5netcdf") as file:
        assert file["frame"].values.tolist() == [0, 0, 2] * 3


def test_files_of_synthetic_frames_say_so(tmp_path, frames):
    for writer in (GeoJson, NetCdf):
        _write(writer, tmp_path, frames, MADE_UP)
    assert json.loads((tmp_path / "boxes.geojson").read_text())["synthetic"] is True
    with xarray.open_dataset(tmp_path / "boxes.nc", engine="h5netcdf") as file:
        assert "SYNTHETIC" in file.attrs["title"]


def test_times_between_whole_hours_are_written_as_they_are(tmp_path, make):
    half_past = (79 * 365 * 24 + 1) * 3600 + 1800
    frames = [make(0, half_past, [(400, 10, 440, 60, 1, 0.95)])]
    for writer in (CsvNodes, GeoJson, NetCdf):
        _write(writer, tmp_path, frames)
    (row,) = csv.DictReader((tmp_path / "boxes.csv").read_text().splitlines())
    assert row["time"] == "1979-01-01T01:30:00"
    (feature,) = json.loads((tmp_path / "boxes.geojson").read_text())["features"]
    assert feature["properties"]["time"] == "1979-01-01T01:30:00"
    with xarray.open_dataset(tmp_path / "boxes.nc", engine="h5netcdf") as file:
        assert str(file.time.values[0]) == "1979-01-01 01:30:00"
