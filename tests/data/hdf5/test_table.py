import fcntl

import h5py
import numpy as np
import pytest

from baryon.data.hdf5.table import Hdf5Table, find_files, has_member, open_file
from baryon.errors import BaryonError


def write(path, rows, *, start=0, dtype="f4", shape=(2, 2), chunks=None, members=("x", "y")):
    values = np.arange(start, start + rows)
    with h5py.File(path, "w") as file:
        for name in members:
            data = np.broadcast_to(values.reshape(-1, *[1] * len(shape)), (rows, *shape))
            file.create_dataset(name, data=data.astype(dtype), chunks=chunks)
    return path


def test_table_joins_several_files(tmp_path):
    paths = [write(tmp_path / "a.h5", 5), write(tmp_path / "b.h5", 7, start=5)]
    table = Hdf5Table(paths, {"x": "x"})
    assert len(table) == 12
    for start in range(12):
        for stop in range(start + 1, 13):
            assert table.read("x", start, stop)[:, 0, 0].tolist() == list(range(start, stop))


def test_chunk_starts_follow_files_and_chunks(tmp_path):
    paths = [
        write(tmp_path / "a.h5", 5, chunks=(2, 2, 2)),
        write(tmp_path / "b.h5", 4, start=5, chunks=(3, 2, 2)),
    ]
    assert Hdf5Table(paths, {"x": "x"}).chunk_starts("x") == [0, 2, 4, 5, 8]


def test_chunk_starts_split_contiguous_member(tmp_path):
    table = Hdf5Table([write(tmp_path / "a.h5", 130)], {"x": "x"})
    assert table.chunk_starts("x") == [0, 64, 128]


def test_place_names_file_and_row(tmp_path):
    paths = [write(tmp_path / "a.h5", 5), write(tmp_path / "b.h5", 7)]
    assert Hdf5Table(paths, {"x": "x"}).place(6) == f"{tmp_path / 'b.h5'}, row 1"


def test_fingerprint_changes_with_the_data(tmp_path):
    path = write(tmp_path / "a.h5", 5)
    before = Hdf5Table([path], {"x": "x"}).fingerprint()
    assert Hdf5Table([path], {"x": "x"}).fingerprint() == before
    write(path, 6)
    assert Hdf5Table([path], {"x": "x"}).fingerprint() != before


def error(paths, **members):
    with pytest.raises(BaryonError) as raised:
        Hdf5Table(paths, members or {"x": "x"})
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_table_refuses_truncated_file(tmp_path):
    path = write(tmp_path / "a.h5", 5000)
    path.write_bytes(path.read_bytes()[:4000])
    assert str(path) in error([path])
    assert "truncated" in error([path])


def test_table_refuses_other_formats(tmp_path):
    path = tmp_path / "a.h5"
    path.write_text("not HDF5")
    assert error([path]).startswith(f"{path} is not HDF5 but a text file that begins with")


def test_damaged_chunk_error_names_file_and_member(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        data = np.random.default_rng(1).random((64, 100)).astype("f4")
        file.create_dataset("x", data=data, chunks=(16, 100), compression="gzip")
    with h5py.File(path) as file:
        offset = file["x"].id.get_chunk_info(2).byte_offset
    raw = bytearray(path.read_bytes())
    raw[offset : offset + 200] = b"\0" * 200
    path.write_bytes(raw)
    table = Hdf5Table([path], {"x": "x"})
    table.read("x", 0, 32)
    with pytest.raises(BaryonError, match=rf"{path}: member 'x' cannot be read in rows 32 to 47"):
        table.read("x", 32, 48)


def test_missing_member_error_names_siblings(tmp_path):
    path = write(tmp_path / "a.h5", 5, members=("image", "label"))
    assert error([path], x="images") == (
        f"{path} has no member 'images'; did you mean 'image'? choose from: image, label"
    )


def test_table_refuses_members_of_different_length(tmp_path):
    path = write(tmp_path / "a.h5", 5, members=("x",))
    with h5py.File(path, "a") as file:
        file["y"] = np.zeros(4)
    assert "differ in length (x 5, y 4)" in error([path], x="x", y="y")


def test_table_refuses_files_of_different_shape(tmp_path):
    paths = [write(tmp_path / "a.h5", 5), write(tmp_path / "b.h5", 5, shape=(3, 3))]
    assert f"{paths[1]}: member 'x' has shape (3, 3), but (2, 2) in {paths[0]}" in error(paths)


def test_table_refuses_files_of_different_dtype(tmp_path):
    paths = [write(tmp_path / "a.h5", 5), write(tmp_path / "b.h5", 5, dtype="f8")]
    assert "has dtype float64, but float32" in error(paths)


def test_table_refuses_group_and_scalar(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_group("group")
        file["number"] = 3.0
    assert "is not a table of rows" in error([path], x="group")
    assert "is not a table of rows" in error([path], x="number")


def test_find_files_by_name_glob_list_and_package(tmp_path, monkeypatch):
    for name in ("b1", "a2", "a1"):
        write(tmp_path / f"{name}.h5", 1)
    names = ["a1.h5", "a2.h5", "b1.h5"]
    assert [p.name for p in find_files("train", str(tmp_path / "*.h5"))] == names
    both = [str(tmp_path / "b*.h5"), str(tmp_path / "*1.h5")]
    assert [p.name for p in find_files("train", both)] == ["b1.h5", "a1.h5"]
    monkeypatch.chdir(tmp_path)
    assert [p.name for p in find_files("train", "b1.h5")] == ["b1.h5"]
    assert find_files("train", "pkg://baryon/py.typed")[0].is_file()


def test_find_files_error_names_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BaryonError) as raised:
        find_files("dataset.train", "*.h5")
    assert str(raised.value) == f"dataset.train=*.h5 matches no file (looked from {tmp_path})"


@pytest.mark.parametrize("pattern", ["", ".", "*"])
def test_find_files_ignores_folders(tmp_path, monkeypatch, pattern):
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BaryonError, match=r"dataset\.train=.* matches no file"):
        find_files("dataset.train", pattern)


def test_has_member(tmp_path):
    path = write(tmp_path / "a.h5", 1, members=("x",))
    assert has_member(path, "x")
    assert not has_member(path, "y")


def test_open_file_ignores_locks(tmp_path):
    path = write(tmp_path / "a.h5", 1)
    with path.open("r+b") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(BlockingIOError):
            h5py.File(path, "r", locking=True)
        with open_file(path) as file:
            assert "x" in file
