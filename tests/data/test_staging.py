"""Files are read from a copy on the node's own disk: one for all, within a budget."""

import errno
import multiprocessing
import os

import h5py
import numpy as np
import pytest

from baryon.data.hdf5.table import Hdf5Table
from baryon.data.staging import MIB, staged, staging
from baryon.errors import BaryonError
from baryon.terminal.console import console
from baryon.terminal.handler import show_messages


@pytest.fixture
def files(tmp_path):
    """Three of 100 kB each."""
    folder = tmp_path / "far"
    folder.mkdir()
    paths = [folder / f"{name}.h5" for name in "abc"]
    for number, path in enumerate(paths):
        with h5py.File(path, "w") as file:
            file["x"] = np.full((25_000,), number, "f4")
    return paths


@pytest.fixture
def near(tmp_path):
    return tmp_path / "near"


def private(near):
    """Where Baryon keeps its copies."""
    return near / f"baryon-staged-{os.geteuid()}"


def copies(near):
    return sorted(path.name.partition("-")[2] for path in private(near).glob("*-*"))


def test_table_reads_copies_and_names_originals(files, near):
    plain = Hdf5Table(files, {"x": "x"})
    with staging(str(near), 10):
        table = Hdf5Table(files, {"x": "x"})
    assert copies(near) == ["a.h5", "b.h5", "c.h5"]
    assert table.fingerprint() == plain.fingerprint()
    assert table.place(25_000) == f"{files[1]}, row 0"
    for path in files:
        path.write_bytes(b"\0" * path.stat().st_size)  # the originals are not read any more
    assert table.read("x", 24_999, 25_001).tolist() == [0, 1]


def test_staging_none_copies_nothing(files, near):
    with staging(None, 10):
        assert staged(files[0]) == files[0]
    assert not near.exists()


def test_staged_reuses_copy_until_original_changes(files, near):
    with staging(str(near), 10):
        first = staged(files[0])
        made = first.stat().st_ino
        with console().capture() as said:
            assert staged(files[0]) == first
        assert "a.h5 is read from its copy in" in said.get().replace("\n", " ")
        assert first.stat().st_ino == made
        os.utime(files[0], (1, 1))
        assert staged(files[0]) != first


def test_staged_warns_of_file_without_room(files, near):
    size = files[0].stat().st_size
    with staging(str(near), 2.5 * size / MIB), console().capture() as said:
        places = [staged(path) for path in files]
    assert [place.parent for place in places] == [private(near)] * 2 + [files[2].parent]
    assert f"{files[2]} is read in place" in said.get().replace("\n", " ")
    assert copies(near) == ["a.h5", "b.h5"]


def test_staged_removes_oldest_copies(files, near):
    size = files[0].stat().st_size
    for path in files[:2]:
        with staging(str(near), 2.5 * size / MIB):
            staged(path)
    with staging(str(near), 2.5 * size / MIB):
        staged(files[0])  # used again: now b is the oldest
    with staging(str(near), 2.5 * size / MIB):
        staged(files[2])
    assert copies(near) == ["a.h5", "c.h5"]


def test_staged_ignores_copies_removed_by_others(files, near):
    size = files[0].stat().st_size
    with staging(str(near), 1.5 * size / MIB):
        staged(files[0]).unlink()  # as another run does that needs the room
        assert staged(files[1]).parent == private(near)
        assert staged(files[0]) == files[0]  # no room any more, beside one that is in use


def test_staged_warns_of_failed_copy(files, near, monkeypatch):
    def refuses(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", refuses)
    with staging(str(near), 10), console().capture() as said:
        assert staged(files[0]) == files[0]
    text = said.get().replace("\n", " ")
    assert "a.h5 is read in place: it cannot be staged in" in text
    assert "No space left on device)" in text
    assert copies(near) == []
    (private(near) / ".lock").unlink()
    (private(near) / ".lock").mkdir()  # as good as another owner's
    with staging(str(near), 10):
        assert staged(files[0]) == files[0]


def _stage(near, path, made):
    show_messages()  # a process of its own has no handler yet
    with staging(near, 10), console().capture() as said:
        staged(path)
    made.put("is staged in" in said.get().replace("\n", " "))


def test_staged_copies_once_for_many_processes(files, near):
    spawn = multiprocessing.get_context("spawn")
    made = spawn.Queue()
    processes = [spawn.Process(target=_stage, args=(str(near), files[0], made)) for _ in range(3)]
    for process in processes:
        process.start()
    copied = [made.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sorted(copied) == [False, False, True]
    assert copies(near) == ["a.h5"]


def test_staging_refuses_impossible_folder(files, tmp_path):
    (tmp_path / "file").write_text("in the way")
    stage = staging(str(tmp_path / "file" / "below"), 10)
    with pytest.raises(BaryonError, match=r"data\.stage=.*file/below cannot be made"), stage:
        pass


def test_staging_removes_nothing_of_the_user(files, near):
    """Whatever a user keeps in the folder, also where names look like a copy's."""
    near.mkdir()
    kept = [near / "my-results.h5", near / f"{'0' * 16}-a.h5"]
    for path in kept:
        path.write_bytes(b"x" * 10_000)
    size = files[0].stat().st_size
    for path in files:
        with staging(str(near), 1.5 * size / MIB):
            staged(path)
    assert [path.stat().st_size for path in kept] == [10_000] * 2
    assert copies(near) == ["c.h5"]


def test_staging_removes_only_copies_from_its_own_folder(files, near):
    size = files[0].stat().st_size
    with staging(str(near), 1.5 * size / MIB):
        staged(files[0])
    note = private(near) / "read-me.txt"
    note.write_text("x" * 10_000)
    with staging(str(near), 1.5 * size / MIB):
        staged(files[1])
    assert note.is_file()
    assert copies(near) == ["b.h5", "me.txt"]


@pytest.mark.parametrize("fault", ["mode", "link", "file"])
def test_staging_trusts_no_folder_that_others_can_write_to(files, near, tmp_path, fault):
    near.mkdir()
    if fault == "mode":
        private(near).mkdir(mode=0o700)
        private(near).chmod(0o770)
    elif fault == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        private(near).symlink_to(tmp_path / "elsewhere")
    else:
        private(near).write_text("")
    refused = pytest.raises(BaryonError, match=r"not a folder of yours alone|cannot be made")
    with refused, staging(str(near), 10):
        pass


def test_staging_follows_no_link_for_its_lock_or_its_copies(files, near, tmp_path):
    with staging(str(near), 10):
        copy = staged(files[0])
    planted = tmp_path / "planted.h5"
    planted.write_bytes(b"\0" * copy.stat().st_size)
    copy.unlink()
    copy.symlink_to(planted)
    with staging(str(near), 10), h5py.File(staged(files[0])) as file:
        assert file["x"][0] == 0
        assert not copy.is_symlink()
    (private(near) / ".lock").unlink()
    (private(near) / ".lock").symlink_to(tmp_path / "lock")
    with staging(str(near), 10):
        assert staged(files[1]) == files[1]
    assert not (tmp_path / "lock").exists()
