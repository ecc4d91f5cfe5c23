"""NetCDF-4 files that xarray must not be let at: one line before it opens them."""

import numpy as np
import pytest

from baryon.errors import BaryonError
from baryon_climate.dataset.cf_opening import open_dataset

h5py = pytest.importorskip("h5py")
xarray = pytest.importorskip("xarray")


def write(path):
    axes = ("time", "lat", "lon")
    fields = {"PSL": (axes, np.ones((4, 5, 8), "f4"), {"units": "Pa"})}
    xarray.Dataset(fields).to_netcdf(path, engine="h5netcdf")
    return path


def refused(path) -> str:
    with pytest.raises(BaryonError) as raised:
        open_dataset(path)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_chunk_shorter_than_its_values_is_refused(tmp_path):
    path = write(tmp_path / "a.nc")
    with h5py.File(path, "r+") as file:
        stored = file.create_dataset("TMQ", (4, 5, 8), "f4", chunks=(2, 5, 8))
        stored.id.write_direct_chunk((0, 0, 0), b"\0" * 16)
    assert "'TMQ' cannot be read (a chunk without filters has 16 bytes, not 320)" in refused(path)


def test_raw_bytes_of_another_file_are_refused(tmp_path):
    path = write(tmp_path / "a.nc")
    (tmp_path / "secret").write_bytes(b"hunter2!" * 80)
    with h5py.File(path, "r+") as file:
        file.create_dataset("TMQ", (4, 5, 8), "f4", external=[(tmp_path / "secret", 0, 640)])
    assert "'TMQ' cannot be read (its values are raw bytes in other files" in refused(path)
