"""Locks end with their descriptor, say who holds them, and one module alone takes them."""

import os
from pathlib import Path

import pytest

import baryon
from baryon.errors import BaryonError
from baryon.system import locks


@pytest.fixture
def opened(tmp_path):
    """Open the same file several times, as other processes would."""
    path = tmp_path / "file"
    path.touch()
    descriptors = []

    def open_again():
        descriptors.append(os.open(path, os.O_RDWR))
        return descriptors[-1]

    yield open_again
    for descriptor in descriptors:
        os.close(descriptor)


def test_an_exclusive_lock_keeps_others_out_until_its_descriptor_is_closed(opened, tmp_path):
    holder = os.open(tmp_path / "file", os.O_RDWR)
    assert locks.try_lock(holder)
    other = opened()
    assert not locks.try_lock(other)
    assert not locks.try_lock(other, shared=True)
    os.close(holder)
    locks.wait_for_lock(other)
    assert not locks.try_lock(opened())


def test_shared_locks_bear_each_other_and_no_exclusive_one(opened):
    assert locks.try_lock(opened(), shared=True)
    assert locks.try_lock(opened(), shared=True)
    assert not locks.try_lock(opened())


def test_a_file_system_without_locks_is_not_taken_for_a_held_lock(opened, tmp_path, monkeypatch):
    def flock(descriptor, operation):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    with pytest.raises(OSError, match="Operation not supported"):
        locks.try_lock(opened())
    with pytest.raises(locks.NoLocksError, match="a file system with locks: choose another by"):
        locks.Lock(tmp_path).acquire()


def test_a_held_folder_names_its_holder(tmp_path):
    with (
        locks.held(tmp_path, "taken by {holder}"),
        pytest.raises(BaryonError, match=rf"^taken by process {os.getpid()} on .+ since 20"),
        locks.held(tmp_path, "taken by {holder}"),
    ):
        pass
    assert not locks.is_held(tmp_path)


def test_one_module_alone_calls_flock():
    root = Path(baryon.__file__).parent
    users = [path for path in root.rglob("*.py") if "flock(" in path.read_text()]
    assert users == [Path(locks.__file__)]
