"""Processes are really killed, stopped and interrupted while they train."""

import json
import os
import random
import re
import signal
import socket
import sys
import time
from pathlib import Path

import pytest
import torch

from baryon.testing.toy_training import Toy

pytestmark = [pytest.mark.mpi, pytest.mark.slow]

HYBRID = ("comm=hybrid", "comm.groups=2", "comm.servers=2")
LONG = ("train.epochs=12",)
EXTENDED = pytest.mark.extended
RUNS = int(os.environ.get("BARYON_CHAOS_RUNS", "0"))
CASES = {
    "a worker": (1,),
    "a group's root": (2,),
    "a whole group": (2, 3),
    "rank 0": (0,),
    "a parameter server": (4,),
    "a parameter server of several layers": (5,),
}


def results(folder) -> dict[str, float]:
    return json.loads((folder / "runs" / "job" / "metrics.json").read_text())


def finished_well(job, folder, dead, steps=72) -> None:
    """Exit code 0, results, a checkpoint, and a report that names the dead."""
    assert job.end(120) == 0, job.output()
    assert "auc" in results(folder), job.output()
    run = folder / "runs" / "job"
    state = torch.load(run / "checkpoints" / "last.pt", weights_only=True)
    assert state["step"] == steps
    assert all(torch.isfinite(value).all() for value in state["model"].values())
    report = (run / "report.html").read_text()
    for rank in dead:
        assert re.search(rf"rank {rank} \([^)]*\) died", report), job.output()


@pytest.mark.chaos
@pytest.mark.skipif(not RUNS, reason="`make chaos` asks for it: many runs")
@pytest.mark.parametrize("number", range(max(RUNS, 1)))
def test_hybrid_survives_deaths_at_random_times(begin, tmp_path, number):
    dice = random.Random(1708 + number)  # noqa: S311  no secret
    dead = list(CASES.values())[number % len(CASES)]
    job = begin(6, *HYBRID, *LONG, "comm.check_every=1", f"seed={number + 1}", forks=False)
    job.wait_for(steps=dice.randrange(3, 30))
    time.sleep(dice.random() * 0.3)
    job.kill(*dead)
    finished_well(job, tmp_path, dead)


def test_one_run_survives_a_server_a_root_and_rank_0(begin, tmp_path):
    job = begin(6, *HYBRID, *LONG, "comm.check_every=1")
    for dead, steps in ((5, 5), (2, 12), (0, 20)):
        job.wait_for(steps=steps)
        job.kill(dead)
    finished_well(job, tmp_path, dead=(5, 2, 0))


@EXTENDED  # the next one ends as one after three, and repeats what this one does
@pytest.mark.parametrize("transport", ["mpi", "torch"])
def test_a_group_of_three_goes_on_as_two(begin, tmp_path, transport):
    choices = ("comm=hybrid", "comm.groups=1", f"comm.transport={transport}", "comm.check_every=1")
    job = begin(4, *choices, *LONG)
    job.wait_for(steps=5)
    job.kill(1)
    finished_well(job, tmp_path, dead=(1,))


def test_a_step_is_repeated_in_the_same_order_on_all_members(begin, forked, tmp_path):
    uneven = (str(forked.python), str(Path(__file__).parent / "uneven_sums.py"))
    choices = ("comm=hybrid", "comm.groups=1", "comm.check_every=1", "train.epochs=6")
    job = begin(4, *choices, program=uneven)
    for steps in (5, 15):
        job.wait_for(steps=steps)
        job.kill(1 if steps == 5 else 2)
    finished_well(job, tmp_path, dead=(1, 2), steps=36)


@EXTENDED
def test_a_group_can_be_dropped_when_it_loses_a_worker(begin, tmp_path):
    job = begin(5, "comm=hybrid", "comm.on_death=drop", *LONG)
    job.wait_for(steps=5)
    job.kill(3)
    finished_well(job, tmp_path, dead=(2, 3))
    assert "group 1 lost a worker" in job.output()


def test_the_last_server_is_not_to_be_replaced(begin):
    job = begin(3, "comm=async", "train.epochs=200")
    job.wait_for(steps=5)
    job.kill(2)
    assert job.end(15) == 1
    assert job.output().count("error: the last parameter server has died") == 1


@pytest.mark.parametrize(
    "tolerant", [True, pytest.param(False, marks=EXTENDED)], ids=["ulfm", "plain"]
)
def test_sync_ends_soon_and_names_the_dead(begin, tmp_path, tolerant):
    job = begin(2, "comm=sync", "train.epochs=200", tolerant=tolerant, forks=False)
    job.wait_for(steps=8)
    job.kill(1)
    assert job.end(10) != 0
    assert re.search(rf"rank 1\b.*{socket.gethostname()}", job.output(), re.DOTALL), job.output()
    state = torch.load(tmp_path / "runs/job/checkpoints/last.pt", weights_only=True)
    assert state["step"] >= 5


@pytest.mark.parametrize(
    ("ranks", "comm", "hung"),
    [pytest.param(2, ("comm=sync",), 1, marks=EXTENDED), (3, ("comm=hybrid",), 2)],
)
def test_a_hung_rank_is_named_and_the_job_ends(begin, ranks, comm, hung):
    job = begin(ranks, *comm, "comm.deadline_s=2", "train.epochs=300", forks=False)
    job.wait_for(steps=5)
    job.kill(hung, number=signal.SIGSTOP)
    assert job.end(100) == 1
    assert job.output().count("baryon: error") == 1
    assert re.search(rf"rank {hung} \([^)]*\) did not answer", job.output()), job.output()


@pytest.mark.parametrize(
    ("what", "tolerant"),
    [
        pytest.param("hangs", True, marks=EXTENDED),
        ("hangs", False),
        pytest.param("dies", True, marks=EXTENDED),
    ],
)
def test_a_rank_that_never_connects_ends_the_job(begin, what, tolerant):
    program = (sys.executable, str(Path(__file__).parent / "one_missing.py"), what)
    job = begin(3, "comm=sync", "comm.deadline_s=0.5", program=program, tolerant=tolerant)
    assert job.end(100) != 0
    assert job.output().count("baryon: error: ") == 1, job.output()
    assert "MPI has not connected all 3 processes after 5 s" in job.output()


def test_ctrl_c_saves_and_another_strategy_goes_on(begin, tmp_path, baryon):
    job = begin(4, "comm=hybrid", "comm.groups=1", *LONG)
    job.wait_for(steps=5)
    job.process.send_signal(signal.SIGINT)
    assert job.end(20) == 128 + signal.SIGUSR1
    run = tmp_path / "runs" / "job"
    stopped = torch.load(run / "checkpoints/last.pt", weights_only=True)
    assert 5 <= stopped["step"] < 72
    assert stopped["communicator"]["optimizer"]["conv1.weight"]
    done = baryon("resume", f"run={run}", "comm=serial")
    assert done.returncode == 0, done.stderr
    steps = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    trained = [line["step"] for line in steps if line["kind"] == "train"]
    assert trained == sorted(set(trained))
    assert trained[-1] == 72


def learn_while_some_die(train_toy, folder, deaths, *, groups: int, ranks: int):
    """What each worker left that lives; steps are so small that weights stay where they were."""
    told = {
        "comm": "hybrid",
        "options": {"groups": groups, "servers": 2},
        "train": {"learning_rate": 1e-4},
        "deaths": deaths,
    }
    done = train_toy(folder, ranks, {"way": told})
    assert done.returncode == 0, done.stderr
    left = [torch.load(path) for path in sorted((folder / "way").glob("*.pt"))]
    for worker in left:
        assert (worker["weights"] - Toy().weights()).abs().max() < 0.02
    return left


def test_no_layer_is_lost_when_a_server_of_several_dies(train_toy, tmp_path):
    assert len(learn_while_some_die(train_toy, tmp_path, {3: 4}, groups=2, ranks=4)) == 2
    (warning,) = json.loads((tmp_path / "way" / "findings.json").read_text())["warnings"]
    assert re.fullmatch(r"rank 3 \(parameter server, on [^)]*\) died in step [56]", warning)


def test_a_new_root_does_not_hand_over_what_the_heir_has_sent(train_toy, tmp_path):
    left = learn_while_some_die(train_toy, tmp_path, {4: 3, 0: 6}, groups=1, ranks=5)
    assert [worker["measures"]["updates_per_step"] for worker in left] == [1.0, 1.0]
