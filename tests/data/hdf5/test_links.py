"""Members that lie in other files: read from there, checked there, refused where they may not."""

import h5py
import numpy as np
import pytest

from baryon.config.schemas import Repack
from baryon.data.hdf5 import table as hdf5_table
from baryon.data.hdf5.links import following_links
from baryon.data.hdf5.repack import repack
from baryon.data.hdf5.table import Hdf5Table, has_member, open_file
from baryon.errors import BaryonError
from baryon.terminal.console import console

ROWS = np.arange(120, dtype="f4").reshape(20, 2, 3)


def write(path, values, **layout):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # whoever has the old one open goes on with it
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=values, **layout)
    return path


def link(path, target, member="/x"):
    with h5py.File(path, "w") as file:
        file["x"] = h5py.ExternalLink(str(target), member)
    return path


def virtual(path, *parts, shape=ROWS.shape, dtype="f4", fillvalue=None):
    """Each part: where it goes, the name of its file, the shape there, what of it is taken."""
    layout = h5py.VirtualLayout(shape, dtype)
    for into, name, whole, taken in parts:
        layout[into] = h5py.VirtualSource(str(name), "x", whole)[taken]
    with h5py.File(path, "w", libver="latest") as file:
        file.create_virtual_dataset("x", layout, fillvalue=fillvalue)
    return path


def halves(folder, **layout):
    """A virtual member of two files of ten rows."""
    parts = []
    for number, name in enumerate(("a.h5", "b.h5")):
        rows = slice(10 * number, 10 * number + 10)
        write(folder / name, ROWS[rows], **layout)
        parts.append((rows, name, (10, 2, 3), np.s_[:]))
    return virtual(folder / "virtual.h5", *parts)


def refused(path, name="x") -> str:
    with pytest.raises(BaryonError) as raised:
        Hdf5Table([path], {"x": name})
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("layout", [{}, {"chunks": (4, 2, 3), "compression": "gzip"}])
def test_virtual_member_equals_its_sources(tmp_path, layout):
    table = Hdf5Table([halves(tmp_path, **layout)], {"x": "x"})
    for start in range(20):
        for stop in range(start + 1, 21):
            np.testing.assert_array_equal(table.read("x", start, stop), ROWS[start:stop])
    assert table.chunk_starts("x") == ([0, 4, 8, 10, 14, 18] if layout else [0, 10])


def test_virtual_member_interleaves_cuts_and_stacks(tmp_path):
    write(tmp_path / "even.h5", ROWS[::2])
    write(tmp_path / "odd.h5", ROWS[1::2])
    parts = [
        (np.s_[0:20:2], "even.h5", (10, 2, 3), np.s_[:]),
        (np.s_[1:20:2, :, :2], "odd.h5", (10, 2, 3), np.s_[:, :, :2]),
        (np.s_[1:20:2, :, 2:], "odd.h5", (10, 2, 3), np.s_[:, :, 2:]),
    ]
    path = virtual(tmp_path / "v.h5", *parts)
    table = Hdf5Table([path], {"x": "x"})
    np.testing.assert_array_equal(table.read("x", 3, 18), ROWS[3:18])
    write(tmp_path / "one.h5", ROWS[3])
    path = virtual(tmp_path / "stack.h5", (0, "one.h5", (2, 3), np.s_[:]), shape=(1, 2, 3))
    np.testing.assert_array_equal(Hdf5Table([path], {"x": "x"}).read("x", 0, 1), ROWS[3:4])


def test_virtual_member_of_virtual_member(tmp_path):
    halves(tmp_path)
    parts = [(np.s_[:], "virtual.h5", ROWS.shape, np.s_[:])]
    path = virtual(tmp_path / "outer.h5", *parts)
    table = Hdf5Table([path], {"x": "x"})
    np.testing.assert_array_equal(table.read("x", 5, 15), ROWS[5:15])
    (tmp_path / "a.h5").unlink()
    assert "a.h5, which does not exist" in refused(path)


def test_virtual_member_refuses_cycle(tmp_path):
    path = virtual(tmp_path / "v.h5", (np.s_[:], "v.h5", ROWS.shape, np.s_[:]))
    assert "its sources refer to each other in a cycle" in refused(path)


def test_virtual_member_refuses_lost_source(tmp_path):
    path = halves(tmp_path)
    (tmp_path / "b.h5").unlink()
    assert refused(path) == (
        f"{path}: member 'x' refers to b.h5, which does not exist (looked in {tmp_path}): put it "
        "there, or write the file again"
    )


def test_virtual_member_ignores_source_in_working_directory(tmp_path, monkeypatch):
    """HDF5 looks there as well."""
    path = halves(tmp_path / "data")
    write(tmp_path / "b.h5", ROWS[:10])
    (tmp_path / "data" / "b.h5").unlink()
    monkeypatch.chdir(tmp_path)
    assert "b.h5, which does not exist" in refused(path)


def test_virtual_member_refuses_source_without_mapped_block(tmp_path):
    path = halves(tmp_path)
    write(tmp_path / "b.h5", ROWS[10:15])
    assert "b.h5 of member 'x' has shape (5, 2, 3), which lacks what was mapped" in refused(path)
    write(tmp_path / "b.h5", ROWS[10:].astype("f8"))
    assert "has dtype float64, where float32 was mapped" in refused(path)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["y"] = ROWS[10:]
    assert f"'x' in {tmp_path / 'b.h5'} of member 'x' does not exist" in refused(path)


def test_fingerprint_covers_sources(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5_table, "SECONDS_BETWEEN_CHECKS", 0.0)
    path = halves(tmp_path)
    table = Hdf5Table([path], {"x": "x"})
    assert table.fingerprint() == Hdf5Table([path], {"x": "x"}).fingerprint()
    write(tmp_path / "b.h5", ROWS[:10])
    assert table.fingerprint() != Hdf5Table([path], {"x": "x"}).fingerprint()
    with pytest.raises(BaryonError, match=r"b\.h5 changed while it was read \(it was written"):
        table.read("x", 0, 4)


def test_table_warns_of_rows_without_source(tmp_path):
    write(tmp_path / "a.h5", ROWS[:10])
    path = virtual(tmp_path / "v.h5", (np.s_[:10], "a.h5", (10, 2, 3), np.s_[:]), fillvalue=7)
    with console().capture() as said:
        table = Hdf5Table([path], {"x": "x"})
    assert "of member 'x' 60 of 120 numbers were never written and read as 7.0" in said.get()
    assert table.read("x", 9, 11)[:, 0, 0].tolist() == [54, 7]


def test_table_warns_of_rows_without_source_beside_rows_with_two(tmp_path):
    parts = []
    for name, first in (("a.h5", 0), ("b.h5", 5)):
        write(tmp_path / name, ROWS[:10])
        parts.append((np.s_[first : first + 10], name, (10, 2, 3), np.s_[:]))
    with console().capture() as said:
        Hdf5Table([virtual(tmp_path / "v.h5", *parts)], {"x": "x"})
    assert "of member 'x' 30 of 120 numbers were never written" in said.get()


def test_virtual_member_refuses_unlimited_mappings(tmp_path):
    layout = h5py.VirtualLayout((20, 2, 3), "f4", maxshape=(None, 2, 3))
    source = h5py.VirtualSource("a.h5", "x", (20, 2, 3), maxshape=(None, 2, 3))
    layout[: h5py.h5s.UNLIMITED] = source[: h5py.h5s.UNLIMITED]
    write(tmp_path / "a.h5", ROWS, chunks=(4, 2, 3), maxshape=(None, 2, 3))
    with h5py.File(tmp_path / "v.h5", "w", libver="latest") as file:
        file.create_virtual_dataset("x", layout)
    assert "it maps an unlimited part of its sources" in refused(tmp_path / "v.h5")


def test_find_follows_links_within_folder(tmp_path):
    write(tmp_path / "sub" / "real.h5", ROWS, chunks=(4, 2, 3))
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["again"] = h5py.ExternalLink("sub/real.h5", "/")
        file["x"] = h5py.SoftLink("/again/x")
    table = Hdf5Table([tmp_path / "v.h5"], {"x": "x"})
    np.testing.assert_array_equal(table.read("x", 3, 9), ROWS[3:9])
    assert table.chunk_starts("x") == [0, 4, 8, 12, 16]
    before = table.fingerprint()
    write(tmp_path / "sub" / "real.h5", ROWS, chunks=(4, 2, 3))
    assert Hdf5Table([tmp_path / "v.h5"], {"x": "x"}).fingerprint() != before


@pytest.mark.parametrize(
    ("target", "member", "reason"),
    [
        ("gone.h5", "/x", "refers to gone.h5, which does not exist"),
        ("real.h5", "/y", "is a link to 'y' in"),
    ],
)
def test_find_refuses_dangling_link(tmp_path, target, member, reason):
    write(tmp_path / "real.h5", ROWS)
    path = link(tmp_path / "link.h5", target, member)
    assert reason in refused(path)
    with pytest.raises(BaryonError, match="link"):
        has_member(path, "x")


def test_find_refuses_cycle_of_soft_links(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = h5py.SoftLink("/y")
        file["y"] = h5py.SoftLink("/x")
    assert "the links of 'x' form a cycle" in refused(tmp_path / "a.h5")


@pytest.mark.parametrize("way", ["link", "virtual", "symbolic link"])
def test_links_out_of_folder_need_follow_links(tmp_path, way):
    outside = write(tmp_path / "elsewhere" / "real.h5", ROWS)
    folder = tmp_path / "data"
    folder.mkdir()
    if way == "symbolic link":
        (folder / "real.h5").symlink_to(outside)
        path = link(folder / "a.h5", "real.h5")
    elif way == "link":
        path = link(folder / "a.h5", "../elsewhere/real.h5")
    else:
        path = virtual(folder / "a.h5", (np.s_[:], outside, ROWS.shape, np.s_[:]))
    assert "outside the folder of the file: data.follow_links=true reads it" in refused(path)
    with following_links(True):
        np.testing.assert_array_equal(Hdf5Table([path], {"x": "x"}).read("x", 0, 20), ROWS)


def test_absolute_link_is_found_beside_moved_file(tmp_path):
    """As HDF5 does."""
    write(tmp_path / "new" / "real.h5", ROWS)
    path = link(tmp_path / "new" / "a.h5", tmp_path / "old" / "real.h5")
    np.testing.assert_array_equal(Hdf5Table([path], {"x": "x"}).read("x", 0, 20), ROWS)


def test_symbolic_link_to_file_allows_both_folders(tmp_path):
    write(tmp_path / "store" / "real.h5", ROWS)
    link(tmp_path / "store" / "a.h5", "real.h5")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.h5").symlink_to(tmp_path / "store" / "a.h5")
    table = Hdf5Table([tmp_path / "mine" / "a.h5"], {"x": "x"})
    np.testing.assert_array_equal(table.read("x", 0, 20), ROWS)


def test_member_refuses_external_raw_storage(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"hunter2!" * 60)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (20, 2, 3), "f4", external=[(str(secret), 0, 480)])
    message = refused(tmp_path / "a.h5")
    assert (
        f"has its values as raw bytes in other files ({secret}), which is not supported" in message
    )
    with following_links(True):
        assert "raw bytes" in refused(tmp_path / "a.h5")


def test_repack_refuses_lost_source(tmp_path):
    path = halves(tmp_path)
    settings = {
        "file": str(path),
        "out": str(tmp_path / "new.h5"),
        "chunk_mib": 1.0,
        "compression": "auto",
        "level": 4,
        "shuffle": False,
        "seed": 1,
        "memory_mib": 64.0,
    }
    (tmp_path / "b.h5").rename(tmp_path / "c.h5")
    with pytest.raises(BaryonError, match=r"refers to b\.h5, which does not exist"):
        repack(Repack(**settings))
    assert not (tmp_path / "new.h5").exists()
    (tmp_path / "c.h5").rename(tmp_path / "b.h5")
    repack(Repack(**settings))
    with open_file(tmp_path / "new.h5") as file:
        assert not file["x"].is_virtual
        np.testing.assert_array_equal(file["x"][:], ROWS)
