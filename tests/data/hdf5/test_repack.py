"""A file written anew has all that the old one had, in chunks that are read fast."""

import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from baryon.cli import execute
from baryon.config.schemas import Repack
from baryon.data.hdf5 import repack as repacking
from baryon.data.hdf5.direct_reads import direct_read_blocker
from baryon.data.hdf5.repack import repack
from baryon.errors import BaryonError

ROWS = 300
BARYON = Path(sys.executable).parent / "baryon"


@pytest.fixture
def old(tmp_path):
    """Images in pieces behind a filter of the library's own, columns, groups, links, attributes."""
    path = tmp_path / "old.h5"
    random = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        file.attrs["title"] = "events"
        group = file.create_group("all")
        group.attrs["run"] = 3
        images = np.where(random.random((ROWS, 3, 16, 16)) < 0.05, 1.5, 0).astype("f4")
        images[:, 0, 0, 0] = np.arange(ROWS)
        images[7, 1, 1, 1] = np.nan
        layout = {"chunks": (7, 1, 8, 8), "compression": "gzip", "fletcher32": True}
        stored = group.create_dataset("image", data=images, maxshape=(None, 3, 16, 16), **layout)
        stored.attrs.create("unit", "GeV", dtype=h5py.string_dtype("ascii"))
        file["row"] = np.arange(ROWS)
        file["mask"] = np.arange(ROWS) % 3 == 0
        file["name"] = ["a", "bc"]
        file["empty"] = np.empty((0, 4), "f4")
        file["scalar"] = 2.5
        file["noise"] = random.integers(0, 256, (200, 1024), dtype=np.uint8)
        file["soft"] = h5py.SoftLink("/all/image")
    return path


def settings(old, **changes) -> Repack:
    keys = {
        "file": str(old),
        "out": str(old.parent / "new.h5"),
        "chunk_mib": 0.05,
        "compression": "auto",
        "level": 4,
        "shuffle": False,
        "seed": 1,
        "memory_mib": 64.0,
    }
    return Repack(**keys | changes)


def test_repack_keeps_everything(old):
    repack(settings(old))
    with h5py.File(old) as one, h5py.File(old.parent / "new.h5") as other:
        names = []
        one.visit(names.append)
        for name in names:
            assert dict(one[name].attrs) == dict(other[name].attrs)
            if isinstance(one[name], h5py.Dataset):
                assert other[name].dtype == one[name].dtype
                np.testing.assert_array_equal(other[name][()], one[name][()])
                assert other[name].maxshape == one[name].maxshape
        assert dict(other.attrs) == {"title": "events"}
        assert other.get("soft", getlink=True).path == "/all/image"
        kind = other["all/image"].attrs.get_id("unit").get_type().get_cset()
        assert kind == h5py.h5t.CSET_ASCII


def test_repack_chooses_layout_by_values(old):
    layouts = repack(settings(old))
    assert layouts["all/image"].chunk == (17, 3, 16, 16)  # 0.05 MiB
    assert layouts["all/image"].compression in ("gzip", "shuffled-gzip")
    assert layouts["noise"].compression == "none"
    assert layouts["row"].chunk is None
    with h5py.File(old.parent / "new.h5") as file:
        assert direct_read_blocker(file["all/image"]) == ""
        assert file["all/image"].chunks == (17, 3, 16, 16)


@pytest.mark.parametrize("memory_mib", [64.0, 0.02])
def test_repack_shuffles_members_alike(old, memory_mib):
    repack(settings(old, shuffle=True, memory_mib=memory_mib))
    with h5py.File(old) as one, h5py.File(old.parent / "new.h5") as other:
        order = other["row"][:]
        assert sorted(order) == list(range(ROWS))
        assert np.mean(np.diff(order) == 1) < 0.05
        np.testing.assert_array_equal(other["all/image"][:], one["all/image"][:][order])
        np.testing.assert_array_equal(other["mask"][:], one["mask"][:][order])


def test_repack_replaces_its_own_file(old):
    before = h5py.File(old)["all/image"][:]
    repack(settings(old, out=str(old)))
    with h5py.File(old) as file:
        np.testing.assert_array_equal(file["all/image"][:], before)
        assert file["all/image"].chunks == (17, 3, 16, 16)
    assert [path.name for path in old.parent.iterdir()] == ["old.h5"]


def refused(old, **changes):
    before = old.read_bytes()
    with pytest.raises(BaryonError) as raised:
        repack(settings(old, **changes))
    assert old.read_bytes() == before
    assert [path.name for path in old.parent.iterdir() if path.name.startswith(".")] == []
    return str(raised.value)


def test_repack_overwrites_no_other_file(old):
    (old.parent / "new.h5").write_text("precious")
    assert "new.h5 exists already" in refused(old)
    assert (old.parent / "new.h5").read_text() == "precious"


def test_repack_discards_copy_that_differs(old, monkeypatch):
    def worse(member, files, name):
        def read(rows):
            values = member[rows].copy()
            values.reshape(-1)[-1:] = 1
            return values

        return read

    monkeypatch.setattr(repacking, "_reader", worse)
    assert "the copy of '/all/image' differs from it in rows 0 to 299" in refused(old)
    assert not (old.parent / "new.h5").exists()


def test_repack_refuses_file_that_changes(old, monkeypatch):
    verify = repacking._verify

    def touching(*arguments):
        verify(*arguments)
        old.touch()

    monkeypatch.setattr(repacking, "_verify", touching)
    assert "changed while it was repacked" in refused(old)


def test_repack_refuses_object_references(old):
    with h5py.File(old, "a") as file:
        file["row"].attrs.create("of", file["all/image"].ref, dtype=h5py.ref_dtype)
    assert "refers to other objects of the file (attribute 'of')" in refused(old)


def test_repack_refuses_missing_file(old):
    assert "nowhere.h5 does not exist" in refused(old, file=str(old.parent / "nowhere.h5"))


def test_repack_refuses_full_disk(old, monkeypatch):
    usage = shutil.disk_usage(old)._replace(free=2**17)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert " but only 128 KiB are free there: make room" in refused(old)


def test_repack_command(old, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert execute(["data", "repack", f"file={old}", "out=new.h5", "compression=gzip"]) == 0
    out = capsys.readouterr().out
    assert "all/image: chunks of (300, 3, 16, 16), gzip" in out
    assert out.endswith("new.h5 is written and verified\n")
    with pytest.raises(BaryonError, match="compression=zip is not known; did you mean 'gzip'"):
        execute(["data", "repack", f"file={old}", "out=x.h5", "compression=zip"])
