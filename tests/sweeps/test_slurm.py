"""Jobs of several nodes under a real Slurm, and the script that it is given."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.mpi]


def test_what_slurm_refuses_is_told(slurm, sweep_here):
    wanted = ("launch=slurm", "hydra.launcher.partition=nowhere", "model.width=2,3")
    done = sweep_here(*wanted, SLURM_CONF=slurm["SLURM_CONF"])
    assert done.returncode == 1
    error = done.stderr.splitlines()[-1]  # after sbatch's own
    assert error.startswith("baryon: error: launch=slurm: ")
    assert "invalid partition specified: nowhere" in error


def test_jobs_of_two_nodes_outlive_their_sweep_and_are_taken_up(slurm, begin, sweep, left):
    """The sweep is killed while a job runs; the next one waits for it, and sees another killed."""
    chosen = ("launch=slurm", "launch.nodes=2", "launch.ranks=2", "launch.jobs=5", "comm=sync")
    chosen = (*chosen, "sweep.name=cut", "hydra.launcher.cpus_per_task=1", "train.epochs=5")
    where = {"SLURM_CONF": slurm["SLURM_CONF"]}
    first = "runs/sweep-cut/0-*/checkpoints/last.pt"
    begin(*chosen, "model.width=2,2", until=first, pause="0.2", **where).kill()
    done = sweep(*chosen, "model.width=2,3", TOY_CRASHES="3", **where)
    assert done.returncode == 1, done.stderr + done.stdout
    assert left().states == ["finished", "failed"]
    assert "warning: job 1 (model.width=3): srun: error: " in done.stdout
    assert "Killed" in left().jobs[1]["error"]
    said = [path.read_text() for path in left().path.glob(".submitit/*/*_0_log.out")]
    assert sum("steps 1 to 20" in text for text in said) >= 1
    scripts = [path.read_text() for path in left().path.glob(".submitit/*/*_submission.sh")]
    lines = ("--nodes=2", "--ntasks-per-node=1", "--cpus-per-task=1", "--array=0-1%2")
    assert any(all(f"#SBATCH {line}\n" in script for line in lines) for script in scripts)
    assert all("\nsrun " in script for script in scripts)
