"""Masks of the ClimateNet kind become boxes."""

from pathlib import Path

import numpy as np
import pytest
import xarray

from baryon.errors import BaryonError
from baryon_climate.classes import AR, TC
from baryon_climate.dataset.box_masks import is_mask, read_masks, regions
from baryon_climate.grid import Grid

GRID = Grid.globe(19, 36)


def _mask(*blocks: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros((19, 36), int)
    for top, bottom, left, right in blocks:
        mask[top:bottom, left:right] = 1
    return mask


def _write(path: Path, labels: np.ndarray, **changes) -> Path:
    north = np.linspace(-90, 90, 19)
    fields = {"LABELS": (("time", "lat", "lon"), labels[None])}
    coords = {
        "time": ("time", [6.0], {"units": "hours since 2000-12-20", "calendar": "noleap"}),
        "lat": ("lat", north, {"units": "degrees_north"}),
        "lon": ("lon", np.arange(36) * 10.0, {"units": "degrees_east"}),
    }
    xarray.Dataset(fields, coords).rename(changes).to_netcdf(path, engine="h5netcdf")
    return path


def test_a_region_has_the_outer_edges_of_its_pixels():
    assert list(regions(_mask((10, 12, 5, 8)) > 0, GRID)) == [(5.0, 45.0, 25.0, 75.0)]


def test_regions_that_touch_at_a_corner_are_one_and_others_are_two():
    assert len(list(regions(_mask((2, 4, 2, 4), (4, 6, 4, 6)) > 0, GRID))) == 1
    assert len(list(regions(_mask((2, 4, 2, 4), (6, 8, 2, 4)) > 0, GRID))) == 2


def test_a_region_goes_on_across_the_seam_of_the_globe_only():
    mask = _mask((8, 10, 34, 36), (9, 11, 0, 3)) > 0
    assert list(regions(mask, GRID)) == [(-15.0, 335.0, 15.0, 385.0)]
    region = Grid(19, 36, -9.0, 1.0, 0.0, 1.0, False)
    assert len(list(regions(mask, region))) == 2


def test_a_band_around_the_globe_is_the_whole_circle():
    ((south, _, north, _),) = regions(_mask((9, 10, 0, 36)) > 0, GRID)
    assert (south, north) == (-5.0, 5.0)
    ((_, west, _, east),) = regions(_mask((9, 10, 0, 36)) > 0, GRID)
    assert east - west == 360


def test_files_of_a_folder_give_cyclones_and_rivers_at_their_times(tmp_path):
    path = _write(tmp_path / "a.nc", _mask((10, 12, 5, 8)) + 2 * _mask((3, 4, 20, 30)))
    assert is_mask(path)
    cyclone, river = read_masks(tmp_path)
    assert (cyclone.kind, river.kind) == (TC, AR)
    assert cyclone.sides == (5.0, 45.0, 25.0, 75.0)
    assert (river.moment.month, river.moment.day, river.moment.second) == (12, 20, 6 * 3600)


def test_files_without_masks_are_refused_in_one_line(tmp_path):
    with pytest.raises(BaryonError, match=r"a folder without a file \*\.nc"):
        read_masks(tmp_path)
    with pytest.raises(BaryonError, match=r"no variable LABELS with masks; it has MASK"):
        read_masks(_write(tmp_path / "b.nc", _mask(), LABELS="MASK"))
    with pytest.raises(BaryonError, match=r"LABELS holds 3; it may hold 0 \(background\)"):
        read_masks(_write(tmp_path / "c.nc", 3 * _mask((1, 2, 1, 2))))
