"""HDF5 files that the library alone can decode, read by processes."""

import pickle

import h5py
import numpy as np
import pytest
import torch

from baryon.data.hdf5.table import Hdf5Table
from baryon.data.loader import Loader
from baryon.data.staging import staging
from baryon.errors import BaryonError
from baryon_hep.dataset.images import Images

COLUMNS = {"label": np.arange(80) % 2}


@pytest.fixture
def path(tmp_path):
    random = np.random.default_rng(1)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        images = random.integers(0, 9, (80, 3, 8, 8)).astype("f4")
        file.create_dataset(
            "data", data=images, chunks=(8, 3, 8, 8), compression="gzip", scaleoffset=0
        )
    return tmp_path / "a.h5"


def images(path) -> Images:
    return Images(Hdf5Table([path], {"data": "data"}), ["data"], COLUMNS, phi_axis=2)


def test_they_give_what_threads_give(readers, loading, path, capsys):
    split = images(path)
    split.augmented = True
    threads = list(Loader(split, loading()).shuffled(0))
    warning = capsys.readouterr().out
    assert "because only the HDF5 library decodes its filter scaleoffset" in warning
    assert "data.processes=<N>" in warning
    processes = Loader(split, loading(readers=readers)).shuffled(0)
    for batch, other in zip(threads, processes, strict=True):
        assert list(batch) == list(other)
        assert all(torch.equal(batch[name], other[name]) for name in batch)
    assert not capsys.readouterr().out  # the processes need not say it again


def test_a_warning_of_theirs_is_heard_once(readers, loading, path, capsys):
    list(Loader(images(path), loading(readers=readers)).in_order())
    assert capsys.readouterr().out.count("is read by one thread at a time") == 1


def test_a_damaged_chunk_is_named(readers, loading, path):
    with h5py.File(path) as file:
        where = file["data"].id.get_chunk_info(6)
    with path.open("r+b") as file:
        file.seek(where.byte_offset + 20)
        file.write(b"\0" * 20)
    for settings in ({}, {"readers": readers}):
        with pytest.raises(BaryonError, match=r"a.h5: member 'data' cannot be read in rows 48 to "):
            list(Loader(images(path), loading(**settings)).in_order())


def test_a_file_that_changed_before_they_opened_it(readers, loading, path):
    split = images(path)
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(BaryonError, match=r"a.h5 changed while it was read"):
        list(Loader(split, loading(readers=readers)).in_order())


def test_a_table_is_pickled_without_its_files(path):
    table = Hdf5Table([path], {"x": "data"})
    other = pickle.loads(pickle.dumps(table))  # noqa: S301
    assert np.array_equal(table.read("x", 5, 30), other.read("x", 5, 30))
    assert other.fingerprint() == table.fingerprint()
    assert other.chunk_starts("x") == table.chunk_starts("x")
    table.close()
    assert other.read("x", 79, 80).shape == (1, 3, 8, 8)
    other.close()


def test_staged_copies_are_what_they_open(path, tmp_path):
    with staging(str(tmp_path / "node"), 100):
        table = Hdf5Table([path], {"x": "data"})
    other = pickle.loads(pickle.dumps(table))  # noqa: S301
    assert other._files[0].file.filename.startswith(str(tmp_path / "node"))
    other.close()
