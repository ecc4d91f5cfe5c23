"""`srun baryon train ...` under a real Slurm of two nodes, with Debian's packages if there."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.mpi, pytest.mark.slow]

BARYON = Path(sys.executable).parent / "baryon"


def srun(slurm, environment, folder, nodes: int, ranks: int, *arguments: str, program=BARYON):
    return subprocess.run(
        ["srun", "-N", str(nodes), "-n", str(ranks), str(program), "train", *arguments],
        env=environment | {"SLURM_CONF": slurm["SLURM_CONF"]},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_srun_starts_a_hybrid_training(slurm, environment, tmp_path, hep_files, forked):
    arguments = (*hep_files, "comm=hybrid", "comm.groups=2", "train.steps=6")
    done = srun(slurm, environment, tmp_path, 2, 3, *arguments, program=forked.baryon)
    assert done.returncode == 0, done.stderr
    assert "worker of group 1" in done.stdout
    assert (tmp_path / "runs" / "latest" / "metrics.json").is_file()


@pytest.mark.parametrize("nodes", [1, 2])
@pytest.mark.parametrize(
    ("comm", "message"),
    [("hybrid", "does not fit 2 processes"), ("hybird", "did you mean 'hybrid'?")],
)
def test_an_error_is_said_once_under_srun(
    slurm, environment, tmp_path, hep_files, nodes, comm, message
):
    done = srun(slurm, environment, tmp_path, nodes, 2, *hep_files, f"comm={comm}")
    assert done.returncode
    assert done.stderr.count("baryon: error") == 1, done.stderr
    assert message in done.stderr
