"""Jobs on several cores, and jobs of several ranks."""

import json
import signal

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.mpi]

CORES = ("launch=cores", "launch.jobs=2")


def test_jobs_of_several_ranks_on_several_cores_are_stopped_and_gone_on_with(begin, sweep, left):
    """Both jobs run at the time of the signal; what they say goes into files of their own."""
    wanted = (*CORES, "launch.ranks=2", "comm=sync", "model.width=2,3")
    process = begin(*wanted, until="runs/sweep-*/1-*/checkpoints/last.pt", pause="0.3")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert left().states == ["waiting", "waiting"], out
    steps = [log_steps(left().path / job["run"]) for job in left().jobs]
    done = sweep(*wanted)
    assert done.returncode == 0, done.stderr
    assert "2 jobs: 2 going on from a checkpoint" in done.stdout
    assert left().states == ["finished", "finished"]
    assert "validation loss" not in done.stdout  # the jobs' own words
    for job, before in zip(left().jobs, steps, strict=True):
        run = left().path / job["run"]
        assert 0 < before < 12
        assert log_steps(run) == 12
        assert "steps 1 to 12" in (run / "output.txt").read_text()
        assert f"steps {before + 1} to 12" in (run / "output.txt").read_text()


def log_steps(run) -> int:
    """The last step that a run has logged."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return max(record["step"] for record in map(json.loads, lines) if record["kind"] == "train")


def test_what_fails_on_a_rank_is_the_jobs_error(sweep, left):
    done = sweep("launch.ranks=2", "comm=sync", "model.width=3,3", TOY_FAILS="3")
    assert done.returncode == 1
    assert "warning: job 0 (model.width=3): a net of width 3 cannot be" in done.stdout
    assert left().jobs[0]["error"] == "a net of width 3 cannot be"
