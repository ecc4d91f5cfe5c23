"""Workers: all tasks done, progress passed on, deaths noticed."""

import pytest

from baryon.errors import BaryonError
from baryon.system import worker_pool

WORK = """
import os, signal
from pathlib import Path
from baryon.errors import BaryonError

def write(folder, number, report):
    Path(folder, str(number)).write_text(str(os.getpid()))
    print("banner")
    report(number)

def die(signal_number, report):
    os.kill(os.getpid(), signal_number)

def leave(code, report):
    os._exit(code)

def refuse(report):
    raise BaryonError("no such process")

def too_much(report):
    raise MemoryError
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    (tmp_path / "pool_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    import pool_work

    return pool_work


def test_every_task_is_done_once(work, tmp_path, capfd):
    reported = []
    tasks = [(str(tmp_path), number) for number in range(5)]
    worker_pool.run(work.write, tasks, 2, reported.append)
    assert sorted(reported) == list(range(5))
    assert len({(tmp_path / str(number)).read_text() for number in range(5)}) == 2
    assert capfd.readouterr().out == ""


def test_no_tasks_no_workers(work):
    worker_pool.run(work.die, [], 2, print)


def test_a_killed_worker_is_noticed(work):
    with pytest.raises(BaryonError, match=r"killed by SIGKILL.*run the same command again"):
        worker_pool.run(work.die, [(9,), (9,)], 2, print)


def test_a_worker_that_leaves_is_noticed(work):
    with pytest.raises(BaryonError, match="exited with 3"):
        worker_pool.run(work.leave, [(3,)], 1, print)


def test_errors_of_a_task_are_passed_on(work):
    with pytest.raises(BaryonError, match=r"^no such process$"):
        worker_pool.run(work.refuse, [()], 1, print)
    with pytest.raises(BaryonError, match=r"^out of memory"):
        worker_pool.run(work.too_much, [()], 1, print)
