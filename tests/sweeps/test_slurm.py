"""Jobs of several nodes under a real Slurm, and the scripts that it is given."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.mpi]

ON_TWO_NODES = ("launch=slurm", "launch.nodes=2", "launch.ranks=2", "comm=sync")


def test_jobs_of_two_nodes_outlive_their_sweep_and_are_taken_up(slurm, begin, sweep, left):
    """One of them fails; the sweep is killed before it could know, and started again."""
    wanted = (*ON_TWO_NODES, "model.width=2,3", "hydra.launcher.cpus_per_task=1")
    where = {"SLURM_CONF": slurm["SLURM_CONF"]}
    begin(
        *wanted, until="runs/sweep-*/0-*/checkpoints/last.pt", pause="0.3", TOY_FAILS="3", **where
    ).kill()
    done = sweep(*wanted, **where)
    assert done.returncode == 0, done.stderr + done.stdout
    assert left().states == ["finished", "finished"]
    said = [path.read_text() for path in left().path.glob(".submitit/*/*_0_log.out")]
    assert sum("still computed by process" in text for text in said) <= 1
    for job in left().jobs:
        begun = [text for text in said if f"{job['run']}: " in text]
        assert any("steps 1 to 12" in text for text in begun)
    script = next(left().path.glob(".submitit/*/*_submission.sh")).read_text()
    for line in ("--nodes=2", "--ntasks-per-node=1", "--cpus-per-task=1", "--array=0-1%2"):
        assert f"#SBATCH {line}\n" in script
    assert "\nsrun " in script


def test_what_fails_or_is_killed_under_slurm_is_told(slurm, sweep, left):
    chosen = (*ON_TWO_NODES, "model.width=2,3")
    trouble = {"TOY_FAILS": "2", "TOY_CRASHES": "3", "SLURM_CONF": slurm["SLURM_CONF"]}
    done = sweep(*chosen, **trouble)
    assert done.returncode == 1
    assert "warning: job 0 (model.width=2): a net of width 2 cannot be" in done.stdout
    assert left().states == ["failed", "failed"]
    assert "Killed" in left().jobs[1]["error"]
