"""A file is there whole or not at all."""

import os
import resource
import signal
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from baryon.errors import BaryonError
from baryon.system.atomic import (
    atomic_write,
    new_file,
    new_folder,
    remove_written,
    stale_temporaries,
    write_text,
)

NOBODY = 65534


def only(folder):
    """The names in a folder: no temporary file stays behind."""
    return sorted(path.name for path in folder.iterdir())


def test_the_new_text_takes_the_place_of_the_old(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert only(tmp_path) == ["a.txt"]


def test_until_the_block_ends_the_old_file_is_there(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_old_file_stays_when_the_block_fails(tmp_path, error):
    def write():
        with atomic_write(path) as temporary:
            temporary.write_text("half of the new")
            raise error

    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(error):
        write()
    assert path.read_text() == "old"
    assert only(tmp_path) == ["a.txt"]


@pytest.fixture
def small_files():
    """Files may not grow beyond 4096 bytes, as on a full disk."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


def test_the_old_file_stays_when_the_new_one_does_not_fit(tmp_path, small_files):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(BaryonError, match=r"^cannot write .*a\.txt: File too large; make room"):
        write_text(path, "x" * 5000)
    assert path.read_text() == "old"
    assert only(tmp_path) == ["a.txt"]


def test_a_full_disk_is_one_line_and_the_old_file_stays(tmp_path):
    def write():
        with atomic_write(path) as temporary:
            temporary.unlink()
            temporary.symlink_to("/dev/full")
            temporary.write_text("new")

    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(BaryonError, match=r"^cannot write .*a\.txt: No space left on device; make"):
        write()
    assert path.read_text() == "old"
    assert only(tmp_path) == ["a.txt"]


def test_a_folder_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(BaryonError, match=r"^cannot write .*: Not a directory; .* run\.root="):
        write_text(tmp_path / "runs" / "a.txt", "new")


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(BaryonError, match=r"^cannot write .*: No such file or directory; "):
        write_text(tmp_path / "runs" / "a.txt", "new")


@pytest.fixture
def read_only_folder():
    """As nobody where the tests run as root, whom permissions do not bind."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        os.seteuid(user or NOBODY)
        yield Path(folder)
        os.seteuid(user)


def test_a_read_only_folder_is_one_line(read_only_folder):
    with pytest.raises(BaryonError, match=r"^cannot write .*: Permission denied; "):
        write_text(read_only_folder / "a.txt", "new")


def test_others_may_read_it_as_the_umask_says(tmp_path):
    mask = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "new")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


def test_a_new_folder_has_its_name_when_all_is_written(tmp_path):
    target = tmp_path / "deep" / "out"
    with new_folder(target) as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "a.txt").write_text("a")
        assert not target.exists()
    assert (target / "inner" / "a.txt").read_text() == "a"
    assert [path.name for path in target.parent.iterdir()] == ["out"]
    assert target.stat().st_mode & 0o777 == 0o777 & ~_umask()


@pytest.mark.parametrize("make", [new_folder, new_file])
def test_what_fails_leaves_nothing_and_what_is_there_stays(tmp_path, make):
    target = tmp_path / "out"
    with pytest.raises(RuntimeError), make(target):
        raise RuntimeError
    assert not list(tmp_path.iterdir())
    target.write_text("mine")
    with pytest.raises(BaryonError, match="out exists already: give another with out=<name>"):  # noqa: SIM117
        with make(target):
            pass
    assert target.read_text() == "mine"


def _overtaken(make, target):
    with make(target) as temporary:
        (temporary if make is new_file else temporary / "a").write_text("new")
        target.write_text("another's")


@pytest.mark.parametrize("make", [new_folder, new_file])
def test_what_appears_meanwhile_is_not_written_over(tmp_path, make):
    with pytest.raises(BaryonError, match="exists already"):
        _overtaken(make, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "another's"
    assert only(tmp_path) == ["out"]


def test_a_new_file_keeps_its_suffix_while_it_is_written(tmp_path):
    with new_file(tmp_path / "model.onnx") as temporary:
        assert temporary.name == "model.onnx"
        temporary.write_bytes(b"1")
    assert (tmp_path / "model.onnx").stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("make", [new_folder, new_file])
def test_a_folder_is_left_behind_when_its_process_is_killed_and_not_before(tmp_path, make):
    """A child writes until it is killed: it has said that it began."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            with make(tmp_path / "out"):
                os.write(writer, b"begun")
                signal.pause()
        finally:
            os._exit(1)
    assert os.read(reader, 5) == b"begun"
    assert stale_temporaries(tmp_path) == []
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    (left,) = stale_temporaries(tmp_path)
    assert left.name.startswith(".out.")
    assert stale_temporaries(tmp_path, "out") == [left]
    assert stale_temporaries(tmp_path, "other") == []
    assert not (tmp_path / "out").exists()


def test_writing_by_several_threads_leaves_the_umask_alone(tmp_path):
    """Reading it means setting it: two threads at once once left it at 0 for the whole process."""
    before = _umask()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: write_text(tmp_path / f"{n % 8}-{n}.txt", "x"), range(400)))
    assert _umask() == before
    assert not [path for path in tmp_path.iterdir() if path.stat().st_mode & 0o022 & before]


def test_only_files_that_were_written_are_removed(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    of_user = ("notes.txt", "0.h5.bak", ".0.h5.swp", ".other.h5.0123abcd")
    for name in ("0.h5", "1.h5", ".0.h5.0123abcd", *of_user):
        (folder / name).write_text(name)
    remove_written(folder, ["0.h5", "1.h5", "2.h5"])
    assert only(folder) == sorted(of_user)
    for name in of_user:
        (folder / name).unlink()
    remove_written(folder, ["0.h5"])
    assert only(tmp_path) == []


def test_a_file_that_cannot_be_written_names_the_key_of_its_folder(tmp_path):
    with pytest.raises(BaryonError, match=r"give another folder with generate\.out=<folder>"):
        write_text(tmp_path / "nowhere" / "a.txt", "new", "generate.out")
