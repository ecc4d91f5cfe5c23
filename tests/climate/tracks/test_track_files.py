"""Tracks in the formats that the field's tools read."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
import xarray

from baryon_climate.classes import ETC, TC, TD
from baryon_climate.grid import Grid
from baryon_climate.storms import FileOrder
from baryon_climate.tracks.reading import is_track_file, read_fixes
from baryon_climate.tracks.track import Track, tracks_of
from baryon_climate.tracks.track_files import WRITERS, line, write_tracks
from baryon_climate.tracks.track_map import draw_tracks

GRID = Grid.globe(181, 360)
NORTH_FIRST = FileOrder(np.arange(181)[::-1], np.arange(360))
ABOUT = SimpleNamespace(
    calendar="proleptic_gregorian", synthetic=True, grid=GRID, file_order=NORTH_FIRST
)
SIX_HOURS = 6 * 3600
START = 96 * 365 * 86400 + 23 * 86400  # 1996-01-01, with the leap days of 1904 to 1992


def _track(name: str, east: list[float], kinds: list[int]) -> Track:
    rows = np.arange(len(east))
    return Track(
        name,
        START + SIX_HOURS * rows,
        15.0 + rows,
        np.array(east) % 360,
        990.0 - rows,
        np.full(len(east), np.nan),
        np.array(kinds, np.int64),
        np.full(len(east), 0.9),
    )


TRACKS = [_track("0", [179.0, 181.0, 182.5], [TD, TC, TC]), _track("1", [359.0, 0.4], [ETC, ETC])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracks")
    write_tracks(TRACKS, folder, ABOUT, list(WRITERS))
    return folder


@pytest.mark.parametrize("name", ["tracks.csv", "tracks.txt"])
def test_nodefiles_are_read_again_as_they_were(folder, name):
    path = folder / name
    assert is_track_file(path)
    tracks = tracks_of(path, read_fixes(path))
    assert [track.name for track in tracks] == ["0", "1"]
    for track, written in zip(tracks, TRACKS, strict=True):
        assert track.times.tolist() == written.times.tolist()
        assert track.longitude == pytest.approx(written.longitude, abs=1e-4)
        assert track.pressure == pytest.approx(written.pressure, abs=1e-2)
    if name == "tracks.csv":
        assert [track.kind for track in tracks] == [TC, ETC]
        assert np.isnan(tracks[0].wind).all()


def test_rows_and_columns_are_those_of_the_file(folder):
    with (folder / "tracks.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["i"], row["j"]) for row in rows] == [
        ("179", "75"), ("181", "74"), ("182", "73"), ("359", "75"), ("0", "74"),
    ]  # fmt: skip
    assert rows[1]["time"] == "1996-01-01T06:00:00"
    first, node = (folder / "tracks.txt").read_text().splitlines()[:2]
    assert first.split() == ["start", "3", "1996", "1", "1", "0"]
    assert node.split() == [
        "179", "75", "179.000000", "15.000000", "9.900000e+04", "nan", "1996", "1", "1", "0",
    ]  # fmt: skip


def test_a_line_is_cut_at_the_antimeridian_and_not_at_greenwich(folder):
    collection = json.loads((folder / "tracks.geojson").read_text())
    assert collection["synthetic"] is True
    crossing, greenwich = collection["features"]
    assert crossing["geometry"] == {
        "type": "MultiLineString",
        "coordinates": [
            [[179.0, 15.0], [180.0, 15.5]],
            [[-180.0, 15.5], [-179.0, 16.0], [-177.5, 17.0]],
        ],
    }
    assert crossing["properties"]["class"] == "TC"
    assert crossing["properties"]["minimum_pressure_hpa"] == 988
    assert crossing["properties"]["maximum_wind_ms"] is None
    assert greenwich["geometry"]["type"] == "LineString"
    assert greenwich["geometry"]["coordinates"] == [[-1.0, 15.0], [0.4, 16.0]]


def test_a_line_westward_is_cut_too_and_a_track_of_one_time_is_a_point():
    west = line(_track("0", [-179.0, 178.0], [TC, TC]))
    (before, after) = west["coordinates"]
    assert before == [(-179.0, 15.0), (-180.0, pytest.approx(15.333333))]
    assert after == [(180.0, pytest.approx(15.333333)), (178.0, 16.0)]
    assert line(_track("0", [10.0], [TC])) == {"type": "Point", "coordinates": (10.0, 15.0)}


def test_netcdf_is_a_trajectory_of_the_cf_conventions(folder):
    with xarray.open_dataset(folder / "tracks.nc", engine="h5netcdf") as file:
        assert (file.attrs["featureType"], file.attrs["Conventions"]) == ("trajectory", "CF-1.11")
        assert "SYNTHETIC" in file.attrs["title"]
        assert file["trajectory"].attrs["cf_role"] == "trajectory_id"
        assert file["row_size"].attrs["sample_dimension"] == "obs"
        assert file["row_size"].values.tolist() == [3, 2]
        assert str(file["time"].values[1])[:16] == "1996-01-01T06:00"
        assert file["longitude"].values.tolist() == [179.0, 181.0, 182.5, 359.0, 0.4]
        assert file["pressure"].attrs["units"] == "hPa"


def test_no_tracks_are_valid_files_too(tmp_path):
    write_tracks([], tmp_path, ABOUT, list(WRITERS))
    assert json.loads((tmp_path / "tracks.geojson").read_text())["features"] == []
    with (tmp_path / "tracks.csv").open() as stream:
        assert list(csv.DictReader(stream)) == []
    with xarray.open_dataset(tmp_path / "tracks.nc", engine="h5netcdf", decode_times=False) as file:
        assert file.sizes["obs"] == 0


def test_a_map_of_tracks_has_all_lines_and_its_text_can_be_read(faults_of_figure):
    figure = draw_tracks(GRID, TRACKS, TRACKS[:1])
    (axes, *_) = figure.axes
    west, east = axes.get_xlim()
    seen = [
        line
        for line in axes.lines
        if len(line.get_xdata()) > 1
        and np.max(line.get_xdata()) > west
        and np.min(line.get_xdata()) < east
    ]
    # the second track is seen at both edges
    assert [len(line.get_xdata()) for line in seen] == [3, 3, 2, 2]
    assert faults_of_figure(figure) == []
