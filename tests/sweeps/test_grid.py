"""A sweep over a grid: interrupted in every way, failing, asked for again, two at once."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from baryon.errors import BaryonError
from baryon.sweeps.folder import opened

pytestmark = pytest.mark.slow

BARYON = Path(sys.executable).parent / "baryon"
WIDTHS = "model.width=2,3"
CHECKPOINT_OF_THE_SECOND = "runs/sweep-*/1-*/checkpoints/last.pt"


def test_a_sweep_leaves_all_it_promises(whole):
    assert whole.states == ["finished", "finished"]
    assert [job["choices"] for job in whole.jobs] == [{"model.width": 2}, {"model.width": 3}]
    for job in whole.jobs:
        run = whole.path / job["run"]
        assert (run / "metrics.json").is_file()
        assert (run / "report.html").is_file()
        assert 0 < job["value"] < 1
        assert job["seconds"] > 0
    rows = list(csv.DictReader((whole.path / "sweep.csv").read_text().splitlines()))
    assert {row["model.width"] for row in rows} == {"2", "3"}
    losses = [float(row["validation_loss"]) for row in rows]  # the best job first
    assert losses == sorted(job["value"] for job in whole.jobs)


def test_after_a_power_cut_the_same_command_gives_the_same_results(
    begin, sweep_here, left, whole, error_line
):
    process = begin(WIDTHS, until=CHECKPOINT_OF_THE_SECOND, program=BARYON)
    job = left().path / left().jobs[1]["run"]
    training = json.loads((job / ".lock").read_text())["process"]
    os.kill(training, signal.SIGSTOP)  # so that it does not finish while another sweep is refused
    error = error_line(sweep_here(WIDTHS))
    assert f" is being run by process {process.pid} on " in error
    process.kill()
    os.kill(training, signal.SIGKILL)
    process.wait()
    assert left().states == ["finished", "running"]
    done = sweep_here(WIDTHS)
    assert done.returncode == 0, done.stderr
    assert "2 jobs: 1 finished before and skipped, 1 resuming from a checkpoint" in done.stdout
    assert "job 0 (model.width=2): begins" not in done.stdout
    assert "job 1 (model.width=3): begins" in done.stdout
    assert left().same_as(whole)


def test_what_failed_is_told_at_once_and_tried_again(sweep_here, left, whole, error_line):
    error = error_line(sweep_here(WIDTHS, "sweep.fail_fast=true", TOY_FAILS="2"))
    assert "1 others were stopped or not begun (sweep.fail_fast=true); the same command" in error
    assert left().states == ["failed", "waiting"]
    done = sweep_here(WIDTHS, TOY_FAILS="2")
    assert done.returncode == 1
    told = "warning: job 0 (model.width=2): a net of width 2 cannot be"
    assert done.stdout.index(told) < done.stdout.index("job 1 (model.width=3): begins")
    (error,) = done.stderr.splitlines()
    assert error.startswith("baryon: error: 1 of 2 jobs of runs/sweep-")
    assert "job 0 (model.width=2): a net of width 2 cannot be; the same command tries" in error
    assert left().states == ["failed", "finished"]
    assert left().jobs[0]["error"] == "a net of width 2 cannot be"
    again = sweep_here(WIDTHS)
    assert again.returncode == 0, again.stderr
    assert "1 finished before and skipped, 1 failed before and tried again" in again.stdout
    report = left().path / "report.html"
    assert f"report: {report.relative_to(report.parents[2])}" in again.stdout
    assert "model.width" in report.read_text()
    assert left().same_as(whole)


def test_done_again_widened_and_begun_afresh(sweep_here, tmp_path, left):
    few = ("train.steps=2", "sweep.name=widths")
    assert sweep_here(*few, "model.width=2,3").returncode == 0
    before = left().jobs
    other = "train.learning_rate=1e-2"  # 0.01, otherwise written
    again = sweep_here(*few, "model.width=4,3,2,3", other)
    assert "3 jobs: 2 finished before and skipped" in again.stdout
    assert left().jobs[:2] == before
    assert left().states == ["finished"] * 3
    assert sweep_here(*few, "model.width=2", "sweep.fresh=true").returncode == 0
    found = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert found == ["sweep-widths", "sweep-widths-2"]
    assert "1 finished before" in sweep_here(*few, "model.width=2").stdout


def test_a_job_whose_sweep_has_died_stops_with_a_checkpoint(
    sweep_here, left, toy, tmp_path, forked
):
    sweep_here("model.width=2,2", TOY_FAILS="2")
    folder = left().path / left().jobs[0]["run"]
    job = subprocess.Popen(
        [forked.python, "-m", "baryon.sweeps.run_job", str(folder)],
        cwd=tmp_path,
        env=toy | {"TOY_PAUSE": "0.2"},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    while not (folder / "checkpoints" / "last.pt").exists():
        assert job.poll() is None
        time.sleep(0.05)
    job.stdin.close()  # as the kernel does for the dead
    assert job.wait(30) == 128 + signal.SIGUSR1
    assert json.loads((folder / "job.json").read_text())["state"] == "waiting"


@pytest.mark.usefixtures("children_are_forks")
def test_a_job_that_takes_its_process_along_does_not_take_the_sweep(sweep_here, left):
    done = sweep_here("model.width=2,2", jobs_too=False, TOY_CRASHES="2")
    assert done.returncode == 1
    assert left().jobs[0]["error"] == "ended by signal SIGKILL"


def test_many_sweeps_that_start_at_once_share_no_folder(tmp_path):
    together = Barrier(24)

    def start(name: str, fresh: bool) -> str:
        together.wait()
        try:
            with opened(tmp_path, name, fresh=fresh) as path:
                together.wait()  # till all have theirs, or none
                return path.name
        except BaryonError as error:
            together.wait()
            return str(error)

    with ThreadPoolExecutor(24) as threads:
        fresh = list(threads.map(start, ["fresh"] * 24, [True] * 24))
        same = list(threads.map(start, ["same"] * 24, [False] * 24))
    assert len(set(fresh)) == 24
    assert same.count("sweep-same") == 1
    assert sum(" is being run by " in one for one in same) == 23
