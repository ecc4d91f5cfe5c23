"""One job a run: a lock that the kernel takes back, and that a question does not change."""

import os
import socket
import subprocess
import sys

import pytest

from baryon.errors import BaryonError
from baryon.system import locks
from baryon.training.run_lock import RunLock


def test_a_run_is_trained_by_one_and_the_other_is_told_by_whom(tmp_path):
    first, second = RunLock(), RunLock()
    first.acquire(tmp_path)
    first.acquire(tmp_path)  # it has it
    here = rf"is being trained by process {os.getpid()} on {socket.gethostname()} since "
    with pytest.raises(BaryonError, match=here) as refused:
        second.acquire(tmp_path)
    assert len(str(refused.value).splitlines()) == 1
    second.close()  # has none to give back
    assert locks.is_held(tmp_path)
    first.close()
    second.acquire(tmp_path)
    second.close()


def test_asking_whether_a_lock_is_held_writes_nothing(tmp_path):
    assert not locks.is_held(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with locks.held(tmp_path, "held by {holder}"):
        told = (tmp_path / locks.NAME).read_text()
    before = (tmp_path / locks.NAME).stat()
    assert not locks.is_held(tmp_path)
    assert (tmp_path / locks.NAME).read_text() == told
    after = (tmp_path / locks.NAME).stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_lock_ends_with_its_holder_however_that_dies(tmp_path):
    text = (
        "import os, sys, pathlib; from baryon.system.locks import Lock; "
        "lock = Lock(pathlib.Path(sys.argv[1])); print(lock.acquire(), flush=True); "
        "sys.stdin.read(); os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", text, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as holder:
        assert holder.stdout.readline() == "True\n"
        assert locks.is_held(tmp_path)
        with pytest.raises(BaryonError, match=f"by process {holder.pid} on "):
            RunLock().acquire(tmp_path)
        holder.stdin.close()
        holder.wait()
    assert not locks.is_held(tmp_path)


def test_who_asks_does_not_keep_out_who_comes(tmp_path, monkeypatch):
    """A question holds the lock for a moment: a run that begins just then looks again."""
    with locks.held(tmp_path, "held by {holder}"):
        pass
    question = os.open(tmp_path / locks.NAME, os.O_RDONLY)
    assert locks.try_lock(question, shared=True)
    monkeypatch.setattr(locks.time, "sleep", lambda _: os.close(question))
    RunLock().acquire(tmp_path)


def test_a_file_system_without_locks_is_told_of_and_does_not_stop_a_run(
    tmp_path, monkeypatch, capsys
):
    def knows_none(file, how):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(locks.fcntl, "flock", knows_none)
    RunLock().acquire(tmp_path)
    said = " ".join(capsys.readouterr().out.split())
    assert "on a file system without locks: see to it that it is resumed once" in said
    with pytest.raises(BaryonError, match="a sweep must lie on a file system with locks"):
        locks.Lock(tmp_path).acquire()
