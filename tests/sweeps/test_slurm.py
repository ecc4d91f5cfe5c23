"""Jobs of several nodes under a real Slurm, and the script that it is given."""

import os
import subprocess
import time

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.mpi]


def test_what_slurm_refuses_is_told(slurm, sweep_here):
    wanted = ("launch=slurm", "launch.partition=nowhere", "model.width=2,3")
    done = sweep_here(*wanted, SLURM_CONF=slurm["SLURM_CONF"])
    assert done.returncode == 1
    error = done.stderr.splitlines()[-1]  # after sbatch's own
    assert error.startswith("baryon: error: launch=slurm: ")
    assert "invalid partition specified: nowhere" in error


def test_jobs_of_two_nodes_outlive_their_sweep_and_are_taken_up(slurm, begin, sweep_here, left):
    """The sweep is killed while a job runs; the next one waits for it, and sees another killed."""
    chosen = ("launch=slurm", "launch.nodes=2", "launch.ranks=2", "launch.jobs=5", "comm=sync")
    chosen = (*chosen, "sweep.name=cut", "launch.cpus_per_task=1", "train.epochs=3")
    where = {"SLURM_CONF": slurm["SLURM_CONF"]}
    first = "runs/sweep-cut/0-*/checkpoints/last.pt"
    begin(*chosen, "model.width=2,2", until=first, pause="0.2", **where).kill()
    done = sweep_here(*chosen, "model.width=2,3", TOY_CRASHES="3", **where)
    assert done.returncode == 1, done.stderr + done.stdout
    assert left().states == ["finished", "failed"]
    assert "warning: job 1 (model.width=3): srun: error: " in done.stdout
    assert "Killed" in left().jobs[1]["error"]
    said = [path.read_text() for path in left().path.glob(".submitit/*/*_0_log.out")]
    assert sum("steps 1 to 12" in text for text in said) >= 1
    scripts = [path.read_text() for path in left().path.glob(".submitit/*/*_submission.sh")]
    lines = ("--nodes=2", "--ntasks-per-node=1", "--cpus-per-task=1", "--array=0-1%2")
    assert any(all(f"#SBATCH {line}\n" in script for line in lines) for script in scripts)
    assert all("\nsrun " in script for script in scripts)


def _cancel(job: str, environment: dict[str, str]) -> None:
    subprocess.run(["scancel", job], env=os.environ | environment, check=True)


@pytest.mark.extended
def test_with_fail_fast_jobs_that_run_write_checkpoints_and_those_that_wait_never_begin(
    slurm, begin, left
):
    """Two run at a time: one fails while the other trains and a third waits."""
    where = {"SLURM_CONF": slurm["SLURM_CONF"], "TOY_FAILS_LATE": "3"}
    chosen = ("launch=slurm", "launch.jobs=2", "sweep.name=fast", "model.width=2,3,4")
    chosen = (*chosen, "launch.cpus_per_task=1", "train.epochs=400", "sweep.fail_fast=true")
    process = begin(*chosen, until="runs/sweep-fast/0-*/checkpoints/last.pt", **where)
    left().path.joinpath("fail").touch()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert left().states == ["waiting", "failed", "waiting"], out + err
    assert "2 others were stopped or not begun (sweep.fail_fast=true)" in err
    outputs = [path.read_text() for path in left().path.glob(".submitit/*/*_0_log.out")]
    assert sum("; the checkpoint is written" in text for text in outputs) == 1
    assert not list(left().path.glob("2-*/metrics.jsonl"))


@pytest.mark.extended
def test_jobs_that_are_cancelled_before_they_begin_or_in_the_middle_are_noticed(slurm, begin, left):
    """One runs at a time: the second is cancelled while it waits, then the first while it runs."""
    where = {"SLURM_CONF": slurm["SLURM_CONF"]}
    chosen = ("launch=slurm", "launch.jobs=1", "sweep.name=gone", "model.width=2,3")
    chosen = (*chosen, "launch.cpus_per_task=1", "train.epochs=400")
    process = begin(*chosen, until="runs/sweep-gone/0-*/checkpoints/last.pt", **where)
    (first,) = {path.name for path in left().path.glob(".submitit/*_0")}
    second = first.removesuffix("_0") + "_1"
    _cancel(second, where)
    until = time.monotonic() + 60
    while left().states[1] != "failed" and time.monotonic() < until:
        time.sleep(0.5)
    assert left().states == ["running", "failed"]
    assert left().jobs[1]["error"] == f"Slurm job {second} was cancelled before it began"
    _cancel(first, where)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"Slurm job {second} was cancelled before it began" in err
    assert left().states[0] in ("waiting", "failed"), out + err
