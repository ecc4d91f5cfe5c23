"""The kit passes communicators that keep the contract, ours and a stranger's, and fails others."""

import os
import sys
from pathlib import Path

import pytest

from baryon.testing import check_communicator, communicator

pytestmark = [pytest.mark.mpi, pytest.mark.slow]

ONE_GROUP = {"workers": 4, "groups": 1, "servers": 0, "momentum_correction": False}
HOOKS = """
from baryon import hookimpl

@hookimpl
def baryon_communicators():
    return {"toy": "PACKAGE.toy:Toy"}
"""


@pytest.fixture(autouse=True)
def ranks_are_forks(forked, monkeypatch):
    """So that not each of them imports PyTorch."""
    command = [str(forked.python), "-P"]
    monkeypatch.setattr(communicator, "child_python", lambda *words: [*command, *words])


@pytest.mark.parametrize(
    ("comm", "ranks", "options", "like_serial"),
    [
        ("serial", 1, {}, True),
        ("sync", 3, {}, True),
        ("hybrid", 6, {"groups": 2, "servers": 2}, False),
        ("async", 3, {"staleness_policy": "dana"}, False),
        ("local_sgd", 2, {}, False),
        # Cheaper tests hold its weights against serial's (tests/comm/virtual).
        pytest.param("virtual", 1, ONE_GROUP, True, marks=pytest.mark.extended),
        pytest.param("virtual", 1, {"groups": 4}, False, marks=pytest.mark.extended),
    ],
)
def test_ours(comm, ranks, options, like_serial):
    check_communicator(comm, ranks=ranks, options=options, like_serial=like_serial)


@pytest.fixture(scope="module")
def toy(install):
    """Installed by pip, as a stranger's plugin is."""
    files = {
        "__init__.py": HOOKS,
        "toy.py": (Path(__file__).parent / "toy_communicator.py").read_text(),
        "conf/comm/toy.yaml": "# A toy\nfault: none\n",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{install({'stranger': {'toys': files}})}{os.pathsep}")
        yield


@pytest.mark.usefixtures("toy")
def test_a_strangers():
    check_communicator("toy", ranks=3, like_serial=True)


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(
    ("fault", "seconds", "found"),
    [
        ("start", 10, "first_weights .*workers hold different weights after start"),
        pytest.param(
            "gradients",
            10,
            "lockstep .*workers hold different weights after synchronize",
            marks=pytest.mark.extended,
        ),
        ("metrics", 10, r"lockstep .*metrics\(\): 'waiting' is list, not a number"),
        ("stop", 5, "stops .*: not done in 5 s, some rank waits for ever"),
        ("state", 10, r"state .*\['optimizer'\] has \[\], not"),
        ("object", 10, "state .*goes through a checkpoint.*: Weights only load failed"),
    ],
)
def test_one_that_breaks_a_promise(fault, seconds, found):
    with pytest.raises(AssertionError, match=f"communicator 'toy' on 2 ranks: {found}"):
        check_communicator("toy", ranks=2, options={"fault": fault}, seconds=seconds)


def test_ranks_that_never_begin_are_not_waited_for_without_limit(tmp_path):
    """Neither they nor what they have started live on."""
    sleeping = "[sys.executable, '-c', 'import time; time.sleep(99)']"
    child = f"import subprocess, sys; subprocess.run({sleeping})"
    reasons = tmp_path / "reasons"
    code, _ = communicator._run([sys.executable, "-c", child], dict(os.environ), reasons, 1.0)
    assert code == -9
    assert reasons.read_text() == "not done in 1 s: the ranks hang, or never began"
