"""A sweep over a grid: interrupted in every way, failing, asked for again, two at once."""

import csv
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.slow

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
    assert [row["model.width"] for row in rows] == ["2", "3"]
    assert [float(row["validation_loss"]) for row in rows] == [job["value"] for job in whole.jobs]


def test_killed_in_the_middle_the_same_command_gives_the_same_results(
    begin, sweep_here, left, whole
):
    process = begin(WIDTHS, until=CHECKPOINT_OF_THE_SECOND)
    process.kill()
    process.wait()
    assert left().states == ["finished", "running"]
    done = sweep_here(WIDTHS)
    assert done.returncode == 0, done.stderr
    assert "2 jobs: 1 finished before and skipped, 1 going on from a checkpoint" in done.stdout
    assert "job 0 (model.width=2): begins" not in done.stdout
    assert "job 1 (model.width=3): begins" in done.stdout
    assert left().same_as(whole)


def test_what_failed_is_told_at_once_and_tried_again(sweep_here, left, whole):
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


def test_stopped_in_good_order_it_says_so_and_goes_on(begin, sweep_here, left):
    process = begin("model.width=3,3", until="runs/sweep-*/0-*/checkpoints/last.pt")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "stopped; the same command goes on with it" in out
    assert left().states == ["waiting"]
    done = sweep_here("model.width=3,3")
    assert "1 jobs: 1 going on from a checkpoint" in done.stdout
    assert left().states == ["finished"]


def test_a_sweep_is_one_processs_and_its_jobs_stop_when_that_dies(
    begin, sweep_here, left, error_line
):
    process = begin(WIDTHS, until="runs/sweep-*/0-*/checkpoints/last.pt", pause="0.5")
    error = error_line(sweep_here(WIDTHS))
    assert f" is being run by process {process.pid} on " in error
    assert "sweep.fresh=true" in error
    process.kill()
    deadline = time.monotonic() + 30
    log = left().path / left().jobs[0]["run"] / "metrics.jsonl"
    while '"stopped"' not in log.read_text():  # with a checkpoint
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_job_that_takes_its_process_along_does_not_take_the_sweep(sweep, left):
    done = sweep("model.width=2,2", TOY_CRASHES="2")
    assert done.returncode == 1
    assert left().jobs[0]["error"] == "ended by signal SIGKILL"


def test_sweeps_started_in_the_same_second_share_no_folder(sweep, tmp_path):
    def start(*arguments: str) -> subprocess.CompletedProcess[str]:
        return sweep("train.steps=2", *arguments)

    with ThreadPoolExecutor() as threads:
        fresh = [threads.submit(start, "model.width=2,2", "sweep.fresh=true") for _ in range(2)]
        other = threads.submit(start, "model.width=3,3")
    assert [done.result().returncode for done in (*fresh, other)] == [0, 0, 0]
    assert len(list((tmp_path / "runs").glob("sweep-*/0-*/metrics.json"))) == 3
