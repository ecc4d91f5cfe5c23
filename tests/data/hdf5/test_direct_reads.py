"""Reading around the HDF5 library gives what the library gives, for every layout there is."""

import threading
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baryon.data.hdf5 import table as hdf5_table
from baryon.data.hdf5.direct_reads import DirectReader, direct_read_blocker
from baryon.data.hdf5.filters import DecodeError
from baryon.data.hdf5.table import Hdf5Table
from baryon.errors import BaryonError
from baryon.terminal.console import console

WAYS = {
    "gzip": {"compression": "gzip"},
    "gzip, shuffled": {"compression": "gzip", "shuffle": True},
    "lzf, shuffled": {"compression": "lzf", "shuffle": True},
    "fletcher32": {"fletcher32": True},
    "gzip, shuffled, fletcher32": {"compression": "gzip", "shuffle": True, "fletcher32": True},
    "uncompressed": {},
}
BY_LIBRARY = {
    "scale and offset": {"scaleoffset": 0},
    "scale and offset, gzip": {"scaleoffset": 0, "compression": "gzip"},
}


def numbers(dtype, shape):
    return (np.random.default_rng(1).random(shape) * 100).round().astype(dtype)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("direct")


@given(
    way=st.sampled_from(list(WAYS)),
    dtype=st.sampled_from(["f4", "f8", "f2", "i2", ">i4", ">f4", "u1", "?", "c8", "c16"]),
    shape=st.sampled_from([(23,), (23, 5), (23, 3, 4, 5)]),
    chunk=st.sampled_from(["rows", "parts", "one"]),
    edges=st.tuples(st.integers(0, 22), st.integers(1, 23)),
)
def test_direct_reader_equals_library(folder, way, dtype, shape, chunk, edges):
    start, stop = min(edges[0], edges[1] - 1), edges[1]
    chunks = {
        "rows": (4, *shape[1:]),
        "parts": (3, *[max(1, n // 2) for n in shape[1:]]),
        "one": (1, *shape[1:]),
    }
    with h5py.File(folder / "any.h5", "w") as file:
        file.create_dataset("x", data=numbers(dtype, shape), chunks=chunks[chunk], **WAYS[way])
    with h5py.File(folder / "any.h5") as file:
        assert direct_read_blocker(file["x"]) == ""
        read = DirectReader(file["x"]).read(start, stop)
        assert read.dtype == file["x"].dtype
        np.testing.assert_array_equal(read, file["x"][start:stop])


def test_direct_reader_reads_contiguous_rows(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = numbers("f4", (50, 2, 3))
    with h5py.File(tmp_path / "a.h5") as file:
        assert direct_read_blocker(file["x"]) == ""
        np.testing.assert_array_equal(DirectReader(file["x"]).read(7, 41), file["x"][7:41])


def test_direct_reader_fills_unwritten_chunks(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        stored = file.create_dataset("x", (20, 2), "f4", chunks=(4, 2), fillvalue=7)
        stored[8:12] = 1
    with h5py.File(tmp_path / "a.h5") as file:
        assert DirectReader(file["x"]).read(4, 16)[:, 0].tolist() == [7] * 4 + [1] * 4 + [7] * 4


def test_direct_reader_honours_filter_mask(tmp_path):
    """LZF stores what it cannot make smaller as it is, and marks the chunk."""
    noise = np.random.default_rng(1).integers(0, 256, (8, 512), dtype=np.uint8)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=noise, chunks=(4, 512), compression="lzf")
        assert file["x"].id.get_chunk_info(0).filter_mask
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(DirectReader(file["x"]).read(0, 4), noise[:4])


@pytest.mark.parametrize("way", list(BY_LIBRARY))
def test_table_warns_of_filters_only_the_library_decodes(tmp_path, way):
    path = tmp_path / "a.h5"
    data = numbers("i4", (20, 3))
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=data, chunks=(4, 3), **BY_LIBRARY[way])
    with console().capture() as said:
        table = Hdf5Table([path], {"x": "x"})
        np.testing.assert_array_equal(table.read("x", 3, 17), data[3:17])
        table.read("x", 0, 4)
    assert said.get().count("is read by one thread at a time") == 1
    assert "baryon data repack" in said.get()


def test_table_refuses_unavailable_filter(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        unknown = {"compression": 32999, "allow_unknown_filter": True}
        stored = file.create_dataset("x", (20, 3), "f4", chunks=(20, 3), **unknown)
        stored.id.write_direct_chunk((0, 0), b"whatever")
    with pytest.raises(BaryonError, match=r"'/x' is stored with filter 32999 \(unnamed\), which"):
        Hdf5Table([path], {"x": "x"})


def test_table_does_not_pass_damaged_chunk_to_library(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        data = numbers("f4", (20, 3))
        file.create_dataset("x", data=data, chunks=(4, 3), compression="gzip")

    def fail(self, start, stop):
        raise DecodeError("inflate: no zlib stream")

    monkeypatch.setattr(DirectReader, "read", fail)
    with pytest.raises(BaryonError, match=r"'x' cannot be read in rows 0 to 19 \(inflate: no zlib"):
        Hdf5Table([path], {"x": "x"}).read("x", 0, 20)


def test_table_read_is_thread_safe(tmp_path):
    data = numbers("f4", (400, 6))
    paths = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for path, half in zip(paths, (data[:200], data[200:]), strict=True):
        with h5py.File(path, "w") as file:
            file.create_dataset("x", data=half, chunks=(7, 6), compression="gzip", shuffle=True)
    table = Hdf5Table(paths, {"x": "x"})
    before = threading.active_count()
    with ThreadPoolExecutor(8) as pool:
        starts = list(range(390)) * 4
        for start, rows in zip(
            starts, pool.map(lambda start: table.read("x", start, start + 10), starts), strict=True
        ):
            np.testing.assert_array_equal(rows, data[start : start + 10])
    assert threading.active_count() <= before


def test_table_refuses_file_that_grows(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5_table, "SECONDS_BETWEEN_CHECKS", 0.0)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=numbers("f4", (20, 3)), chunks=(4, 3), maxshape=(None, 3))
    table = Hdf5Table([path], {"x": "x"})
    table.read("x", 0, 4)
    with path.open("ab") as file:
        file.write(b"\0" * 100)
    with pytest.raises(BaryonError, match=rf"{path} changed while it was read \(its size went"):
        table.read("x", 4, 8)


def test_table_refuses_deleted_file(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5_table, "SECONDS_BETWEEN_CHECKS", 0.0)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"] = numbers("f4", (20, 3))
    table = Hdf5Table([path], {"x": "x"})
    path.unlink()
    with pytest.raises(BaryonError, match=rf"{path} cannot be read: No such file"):
        table.read("x", 4, 8)
